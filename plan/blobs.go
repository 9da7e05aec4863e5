package plan

import (
	"bytes"
	"fmt"
	"io"
	"os"
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
