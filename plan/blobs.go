package plan

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// blobs opens the content of a plan's files by digest.
type blobs map[string]func() (io.ReadCloser, error)

// Open implements BlobSource.
func (b blobs) Open(digest string) (io.ReadCloser, error) {
	open, ok := b[digest]
	if !ok {
		return nil, fmt.Errorf("blob %s is not part of this plan", digest)
	}
	return open()
}

// keep makes the content of a slice's files known, and gives these.
func (b blobs) keep(cut *onnx.Slice) (graph statefile.Blob, weights []statefile.Blob) {
	digest := DigestOf(cut.Graph)
	b[digest] = openBytes(cut.Graph)
	weights = []statefile.Blob{}
	for _, weight := range cut.Weights {
		b[weight.Digest] = weight.Open
		weights = append(weights, statefile.Blob{Name: weight.Digest, Digest: weight.Digest, Size: weight.Size})
	}
	return statefile.Blob{Name: worker.GraphFile, Digest: digest, Size: int64(len(cut.Graph))}, weights
}

func openBytes(content []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return memoryFile{bytes.NewReader(content)}, nil }
}

// memoryFile is a reader that keeps telling its size, which uploads need to
// write concurrently.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

func openFile(path string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}
