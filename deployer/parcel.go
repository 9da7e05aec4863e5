package deployer

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Blobs up to packedBlob bytes travel together, up to packBytes at once: each
// file costs some round trips of its own.
const (
	packedBlob = 1 << 20
	packBytes  = 4 << 20
)

// archiveBytes is the size of an archive at most: a block of header a member, members and the
// end in whole blocks.
const archiveBytes = packBytes + batchFiles*2*512 + 2*512

// parcel is what travels as one file: a blob, or several small ones as a tar archive.
type parcel struct {
	name    string           // of the temporary file on the device
	blobs   []statefile.Blob // one, unless packed
	members []string         // temporary names of the blobs of a packed one
	found   form             // in which a part of it is on the device
	part    int64            // bytes of that part; unchecked
	again   bool             // by SFTP, since a receiver ended
}

// packed says whether the parcel is an archive.
func (p parcel) packed() bool { return p.members != nil }

// content is how many bytes of blobs it brings.
func (p parcel) content() int64 { return totalBytes(p.blobs) }

// rank is higher for what goes first.
func (p parcel) rank() int64 {
	if p.isProgram() {
		return math.MaxInt64
	}
	return p.content()
}

// isProgram says whether the parcel is the worker program alone.
func (p parcel) isProgram() bool { return !p.packed() && p.blobs[0].Name == worker.ProgramFile }

// temporaries are the temporary names of its blobs, by the order of these.
func (p parcel) temporaries() []string {
	if p.packed() {
		return p.members
	}
	return []string{p.name}
}

// title is what errors call it.
func (p parcel) title() string {
	if len(p.blobs) == 1 {
		return blobName(p.blobs[0])
	}
	return fmt.Sprintf("%s from %s on", count(len(p.blobs), "small file"), blobName(p.blobs[0]))
}

// parcels distributes blobs, each of which is given once.
func parcels(s *site, blobs []statefile.Blob, there found) []parcel {
	var list []parcel
	var small []statefile.Blob
	for _, blob := range blobs {
		if there.tar && blob.Size <= packedBlob {
			small = append(small, blob)
			continue
		}
		list = append(list, s.single(blob, there))
	}
	for _, group := range grouped(small) {
		if len(group) == 1 {
			list = append(list, s.single(group[0], there))
			continue
		}
		p := parcel{name: s.temporaryName(), blobs: group}
		for range group {
			p.members = append(p.members, s.temporaryName())
		}
		list = append(list, p)
	}
	return list
}

func (s *site) single(blob statefile.Blob, there found) parcel {
	p := parcel{name: s.partName(blob.Digest), blobs: []statefile.Blob{blob}}
	for form, size := range there.parts[blob.Digest] {
		if size > p.part {
			p.found, p.part = form, size
		}
	}
	return p
}

// grouped splits blobs into packs, in their order.
func grouped(blobs []statefile.Blob) [][]statefile.Blob {
	var list [][]statefile.Blob
	var bytes int64
	for _, blob := range blobs {
		if len(list) == 0 || len(list[len(list)-1]) == batchFiles || bytes+blob.Size > packBytes {
			list, bytes = append(list, nil), 0
		}
		list[len(list)-1] = append(list[len(list)-1], blob)
		bytes += blob.Size
	}
	return list
}

// batchFiles are named in one command line at most.
const batchFiles = 64

// body is what the file of a parcel holds.
type body struct {
	size int64
	open func() (io.ReadCloser, error)
}

func bodyOf(content []byte) body {
	return body{int64(len(content)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

func contentOf(source plan.BlobSource, blob statefile.Blob) body {
	return body{blob.Size, func() (io.ReadCloser, error) { return source.Open(blob.Digest) }}
}

// body gives the file of a parcel, uncompressed.
func (p parcel) body(source plan.BlobSource) (body, error) {
	if !p.packed() {
		return contentOf(source, p.blobs[0]), nil
	}
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	for i, blob := range p.blobs {
		content, err := readBlob(source, blob)
		if err != nil {
			return body{}, err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: p.members[i], Size: blob.Size, Mode: int64(modeOf(blob)), Format: tar.FormatUSTAR}
		if err := out.WriteHeader(header); err != nil {
			return body{}, err
		}
		if _, err := out.Write(content); err != nil {
			return body{}, err
		}
	}
	err := out.Close()
	return bodyOf(archive.Bytes()), err
}

// readBlob reads a blob whole; it must have its size.
func readBlob(source plan.BlobSource, blob statefile.Blob) ([]byte, error) {
	r, err := source.Open(blob.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, blob.Size+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", blobName(blob), err)
	}
	if int64(len(content)) != blob.Size {
		return nil, fmt.Errorf("%s: %w", blobName(blob), changedSize(int64(len(content)), blob.Size))
	}
	return content, nil
}

// modeOf is the mode of a blob on a device: programs can be executed.
func modeOf(blob statefile.Blob) fs.FileMode {
	return worker.Incoming{Program: isProgram(blob)}.Mode()
}

func isProgram(blob statefile.Blob) bool {
	return blob.Name == worker.ProgramFile || blob.Name == worker.EngineFile
}

// temporaryName is new. It tells whose it is, for states that share a device.
func (s *site) temporaryName() string { return s.temporaryPrefix() + randomHex(8) }

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}

func (s *site) temporaryPrefix() string { return temporary + lineageSuffix(s.lineage)[1:] + "-" }

// partName is the temporary name of a blob that travels alone: this run's alone. Another run
// goes on where one was broken off, under a name of its own (openBlobs): what the
// one before has left under way would open the file by its old name, and cut it off.
func (s *site) partName(digest string) string { return s.partPrefix() + digest }

func (s *site) partPrefix() string { return s.temporaryPrefix() + s.runID + "-" }

// abandon removes temporary files after a failure, as far as the device lets it.
// What was interrupted from outside leaves the parts that the next run goes on
// from; those of a full or failing disk go, so that nothing is worse than before.
func (s *site) abandon(ctx context.Context, list []parcel) {
	if s.isLost() {
		return // the next run removes what it cannot use
	}
	var names []string
	for _, p := range list {
		if p.packed() {
			names = append(names, p.name)
			names = append(names, p.members...)
		} else if ctx.Err() == nil {
			names = append(names, p.name, p.name+string(compressed))
		}
	}
	for chunk := range slices.Chunk(names, batchFiles) {
		_, _ = s.script(context.WithoutCancel(ctx), "remove temporary files", `cd "$1" && shift && rm -f "$@"`,
			append([]string{s.blobs()}, chunk...)...)
	}
}

// isLost says whether the connection has ended.
func (d *device) isLost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link == nil || d.link.lost() != nil
}

// found is what earlier runs have left on a device, and what it can do.
type found struct {
	tar, gzip bool
	parts     map[string]map[form]int64 // sizes of part files, by digest
}

// parsePart reads the name and size of a part file.
func (f *found) parsePart(name, prefix string, size int64) (digest string, ok bool) {
	digest, ok = strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	as := plain
	if whole, is := strings.CutSuffix(digest, string(compressed)); is {
		digest, as = whole, compressed
	}
	if !digestPattern.MatchString(digest) {
		return "", false
	}
	if f.parts[digest] == nil {
		f.parts[digest] = map[form]int64{}
	}
	f.parts[digest][as] = size
	return digest, true
}
