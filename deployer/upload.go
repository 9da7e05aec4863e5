package deployer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Blobs are put in their places batch by batch: what is in place stays when the
// run breaks off.
const (
	batchFiles = 64
	batchBytes = 64 << 20
)

// claim says on a device which blobs a release will refer to, before they are
// looked for and uploaded: another state that cleans the device leaves them.
func (s *site) claim(ctx context.Context, deployment, id string, blobs []statefile.Blob) error {
	sums := bundle{blobs: blobs}.sums()
	there, _, err := s.readSmall(ctx, path.Join(s.release(deployment, id), sumsFile))
	if err != nil || bytes.Equal(there, sums) {
		return err
	}
	dir := s.release(deployment, id+unfinished)
	if _, err := s.script(ctx, "make the release folder", `umask 077; mkdir -p "$1"`, dir); err != nil {
		return err
	}
	return s.writeSmall(ctx, dir, sumsFile, sums)
}

// upload puts blobs on a device. Each goes to a temporary name, is hashed over
// there, and gets its own name only when the digest is right.
func (s *site) upload(ctx context.Context, source plan.BlobSource, blobs []statefile.Blob) error {
	if len(blobs) == 0 {
		return nil
	}
	if err := s.openBlobs(ctx); err != nil {
		return err
	}
	total := totalBytes(blobs)
	s.o.emit(Event{Node: s.name, Kind: "upload", Total: total,
		Message: fmt.Sprintf("uploading %s, %s", count(len(blobs), "file"), byteCount(total))})
	var sent atomic.Int64
	progress := func(n int) {
		s.o.emit(Event{Node: s.name, Kind: "upload", Bytes: sent.Add(int64(n)), Total: total})
	}
	for _, batch := range batches(blobs) {
		if err := s.uploadBatch(ctx, source, batch, progress); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
	}
	return nil
}

func batches(blobs []statefile.Blob) [][]statefile.Blob {
	var list [][]statefile.Blob
	var bytes int64
	for _, blob := range blobs {
		if len(list) == 0 || len(list[len(list)-1]) == batchFiles || bytes+blob.Size > batchBytes {
			list, bytes = append(list, nil), 0
		}
		list[len(list)-1] = append(list[len(list)-1], blob)
		bytes += blob.Size
	}
	return list
}

// uploadBatch leaves all of the batch in place, or none of it and no temporary files.
func (s *site) uploadBatch(ctx context.Context, source plan.BlobSource, blobs []statefile.Blob, progress func(int)) error {
	names := map[string]statefile.Blob{}
	var order []string
	for _, blob := range blobs {
		name := s.temporaryName()
		names[name], order = blob, append(order, name)
	}
	err := eachOrNone(ctx, order, s.o.Files, func(ctx context.Context, name string) error {
		return s.send(ctx, source, names[name], s.blob(name), progress)
	})
	if err == nil {
		err = s.compare(ctx, order, names)
	}
	if err == nil {
		err = each(order, s.o.Files, func(name string) error { return s.place(ctx, name, names[name]) })
	}
	if err != nil {
		s.discard(ctx, order)
	}
	return err
}

// temporaryName is new. It tells whose it is, for states that share a device.
func (s *site) temporaryName() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return s.temporaryPrefix() + hex.EncodeToString(random[:])
}

func (s *site) temporaryPrefix() string { return temporary + lineageSuffix(s.lineage)[1:] + "-" }

// discard removes temporary files after a failure, as far as the device lets it;
// the next run removes the rest.
func (s *site) discard(ctx context.Context, names []string) {
	args := append([]string{s.blobs()}, names...)
	_, _ = s.script(context.WithoutCancel(ctx), "remove temporary files", `cd "$1" && shift && rm -f "$@"`, args...)
}

// send writes one blob to a temporary file.
func (s *site) send(ctx context.Context, source plan.BlobSource, blob statefile.Blob, file string, progress func(int)) error {
	content, err := source.Open(blob.Digest)
	if err != nil {
		return err
	}
	defer content.Close()
	limit := s.o.AnswerTimeout + secondsFor(blob.Size) // the device may take that to flush it
	err = s.filesFor(ctx, limit, func(c *sftp.Client) error {
		return writeFile(c, file, &sizedReader{Reader: content, ctx: ctx, size: blob.Size, moved: progress})
	})
	if err != nil {
		return fmt.Errorf("%s: %w", blobName(blob), s.explainWrite(ctx, err, blob.Size))
	}
	return nil
}

// writeFile writes a new file, many packets at once.
func writeFile(c *sftp.Client, file string, r *sizedReader) error {
	f, err := c.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	n, err := f.ReadFrom(r)
	if err == nil && n != r.size {
		err = fmt.Errorf("the file on this machine has %d bytes, not %d: it changed since the plan was made", n, r.size)
	}
	if _, ok := c.HasExtension("fsync@openssh.com"); ok && err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sizedReader tells of progress and stops when its context ends. It tells its
// size, without which the SFTP client waits for every single packet.
type sizedReader struct {
	io.Reader
	ctx   context.Context
	size  int64
	moved func(int)
}

// Size of the whole content in bytes.
func (r *sizedReader) Size() int64 { return r.size }

func (r *sizedReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	r.moved(n)
	return n, err
}

// explainWrite asks why a write failed: SFTP calls a full disk just "failure".
func (s *site) explainWrite(ctx context.Context, err error, size int64) error {
	var status *sftp.StatusError
	if !errors.As(err, &status) {
		return err
	}
	if full := checkSpace(ctx, s, s.root, size); full != nil {
		return fmt.Errorf("%w (%w)", full, err)
	}
	return fmt.Errorf("%w; is the file system read-only or a quota reached?", err)
}

// compare hashes temporary files on the device.
func (s *site) compare(ctx context.Context, names []string, blobs map[string]statefile.Blob) error {
	var size int64
	for _, name := range names {
		size += blobs[name].Size
	}
	sums, err := s.hash(ctx, s.blobs(), names, size)
	if err != nil {
		return err
	}
	for _, name := range names {
		if blob := blobs[name]; sums[name] != blob.Digest {
			return fmt.Errorf("%s arrived damaged: its sha256 on the device is %q and should be %s; is its storage failing, or did the file change here since the plan was made?",
				blobName(blob), sums[name], blob.Digest)
		}
	}
	return nil
}

// place gives a hashed file its name.
func (s *site) place(ctx context.Context, name string, blob statefile.Blob) error {
	mode := fs.FileMode(0o600)
	if blob.Name == worker.ProgramFile || blob.Name == worker.EngineFile {
		mode = 0o700
	}
	err := s.files(ctx, func(c *sftp.Client) error {
		if err := c.Chmod(s.blob(name), mode); err != nil {
			return err
		}
		return c.PosixRename(s.blob(name), s.blob(blob.Digest))
	})
	if err != nil {
		return fmt.Errorf("put %s in place: %w", blobName(blob), err)
	}
	s.markVerified(blob.Digest)
	return nil
}
