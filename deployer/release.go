package deployer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// build makes the release folder under an unfinished name, of blobs that are on
// the device, and checks every digest there. It gives the blobs that turned out
// damaged; the release is then to be built again.
func (s *site) build(ctx context.Context, b bundle) (damaged []statefile.Blob, err error) {
	dir := s.release(b.deployment, b.id+unfinished)
	if _, err := s.script(ctx, "make the release folder", `umask 077; rm -rf "$1" && mkdir -p "$1"`, dir); err != nil {
		return nil, err
	}
	if err := s.writeSmall(ctx, dir, sumsFile, b.sums()); err != nil {
		return nil, err
	}
	copied, err := s.linkAll(ctx, dir, b.blobs)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{worker.ManifestFile, worker.PeersFile} {
		if err := s.writeSmall(ctx, dir, name, b.small()[name]); err != nil {
			return nil, err
		}
	}
	damaged, err = s.damaged(ctx, dir, b.blobs, copied)
	if err != nil || len(damaged) > 0 {
		return damaged, err
	}
	return nil, s.stamp(ctx, dir, b.blobs, nil)
}

// copyScript copies a file over what may be a link to it, which cp refuses.
const copyScript = `rm -f "$2" && cp -p "$1" "$2"`

// linkAll gives blobs their names in a release. Where the file system has no
// links they are copied.
func (s *site) linkAll(ctx context.Context, dir string, blobs []statefile.Blob) (copied bool, err error) {
	var names []string
	byName := map[string]statefile.Blob{}
	for _, blob := range blobs {
		names, byName[blob.Name] = append(names, blob.Name), blob
	}
	err = eachOrNone(ctx, names, s.o.Files, func(ctx context.Context, name string) error {
		return s.files(ctx, func(c *sftp.Client) error {
			return c.Link(s.blob(byName[name].Digest), path.Join(dir, name))
		})
	})
	if err == nil || ctx.Err() != nil {
		return false, err
	}
	for _, blob := range blobs {
		limit := s.o.AnswerTimeout + secondsFor(blob.Size)
		if _, copyErr := s.runFor(ctx, limit, "sh", "-c", copyScript, "copy", s.blob(blob.Digest), path.Join(dir, blob.Name)); copyErr != nil {
			return false, fmt.Errorf("%s cannot be put into the release: link: %w; copy: %w", blobName(blob), err, copyErr)
		}
	}
	return true, nil
}

// damaged hashes a release's blobs on the device. Those hashed in this run are
// the same files, unless they were copied.
func (s *site) damaged(ctx context.Context, dir string, blobs []statefile.Blob, copied bool) ([]statefile.Blob, error) {
	var names []string
	var size int64
	for _, blob := range blobs {
		if copied || !s.isVerified(blob.Digest) {
			names, size = append(names, blob.Name), size+blob.Size
		}
	}
	sums, err := s.hash(ctx, dir, names, size)
	if err != nil {
		return nil, err
	}
	var bad []statefile.Blob
	for _, blob := range blobs {
		checked := copied || !s.isVerified(blob.Digest)
		if checked && sums[blob.Name] != blob.Digest {
			bad = append(bad, blob)
		} else if !copied {
			s.markVerified(blob.Digest)
		}
	}
	return bad, nil
}

// complete says whether a release is on the device as it should be. It reads
// everything and changes nothing but times of modification, to those of whole files.
func (s *site) complete(ctx context.Context, b bundle) (bool, error) {
	dir := s.release(b.deployment, b.id)
	listed, err := s.list(ctx, dir)
	if err != nil || len(listed) == 0 {
		return false, err
	}
	small := b.small()
	for _, name := range sortedKeys(small) {
		content, ok, err := s.readSmall(ctx, path.Join(dir, name))
		if err != nil {
			return false, err
		}
		if !ok || !bytes.Equal(content, small[name]) {
			return false, nil
		}
	}
	// The files may be copies, so a digest of a blob says nothing of them.
	bad, err := s.damaged(ctx, dir, b.blobs, true)
	if err != nil || len(bad) > 0 {
		return false, err
	}
	return true, s.stamp(ctx, dir, b.blobs, listed)
}

// prepare brings a node's part of a release onto the device, whole and checked.
// It is not in its place yet when ready is false, as always with anew.
func (s *site) prepare(ctx context.Context, b bundle, source plan.BlobSource, anew bool) (ready bool, err error) {
	if !anew {
		ready, err = s.complete(ctx, b)
	}
	if ready || err != nil {
		return ready, err
	}
	for range 2 {
		missing, err := s.missing(ctx, b.blobs)
		if err != nil {
			return false, err
		}
		if err := s.upload(ctx, source, missing); err != nil {
			return false, err
		}
		bad, err := s.build(ctx, b)
		if err != nil || len(bad) == 0 {
			return false, err
		}
		if err := s.removeBlobs(ctx, bad); err != nil {
			return false, err
		}
	}
	return false, errors.New("files on the device are damaged again after they were uploaded anew: its storage is failing")
}

// mend makes sure that a blob on the device is what it should be.
func (s *site) mend(ctx context.Context, blob statefile.Blob, source plan.BlobSource) error {
	if s.isVerified(blob.Digest) {
		return nil
	}
	sums, err := s.hash(ctx, s.blobs(), []string{blob.Digest}, blob.Size)
	if err != nil {
		return err
	}
	if sums[blob.Digest] == blob.Digest {
		s.markVerified(blob.Digest)
		return nil
	}
	if err := s.removeBlobs(ctx, []statefile.Blob{blob}); err != nil {
		return err
	}
	return s.upload(ctx, source, []statefile.Blob{blob})
}

func (s *site) removeBlobs(ctx context.Context, blobs []statefile.Blob) error {
	for _, blob := range blobs {
		s.emit("upload", "%s is damaged on the device and is uploaded again", blobName(blob))
		s.mu.Lock()
		delete(s.verified, blob.Digest)
		if s.helper == s.blob(blob.Digest) {
			s.helper = ""
		}
		s.mu.Unlock()
		if err := s.remove(ctx, s.blob(blob.Digest)); err != nil {
			return err
		}
	}
	return nil
}

// install puts a built release in its place. A damaged one that was there is
// stopped and goes away.
func (s *site) install(ctx context.Context, b bundle) error {
	dir := s.release(b.deployment, b.id)
	if err := s.stop(ctx, b.deployment, b.id); err != nil {
		return err
	}
	_, err := s.script(ctx, "install the release", `rm -rf "$2" && mv "$1" "$2"`, dir+unfinished, dir)
	return err
}

// switchTo makes a release the current one, in one step. Until it is on the disk
// the promise is, too.
func (s *site) switchTo(ctx context.Context, deployment, id string) error {
	link := s.promised(deployment)
	if _, err := s.run(ctx, "ln", "-sfn", path.Join(releasesDir, id), link); err != nil {
		return err
	}
	err := s.rename(ctx, link, s.current(deployment))
	if err != nil {
		if _, found := s.currentRelease(ctx, deployment); errors.Is(found, errNoLink) {
			err = errors.Join(s.moveAside(ctx, deployment), s.rename(ctx, link, s.current(deployment)))
		}
	}
	if err == nil {
		const script = flushingFunction + `flush() { sync "$1" 2>/dev/null || sync; }; flushing flush "$1"`
		_, err = s.runFlushing(ctx, s.o.AnswerTimeout, "sh", "-c", script, "flush the switch", s.deployment(deployment))
	}
	if err != nil {
		return fmt.Errorf("switch to release %s: %w", id, err)
	}
	return nil
}

func (s *site) rename(ctx context.Context, from, to string) error {
	return s.files(ctx, func(c *sftp.Client) error { return c.PosixRename(from, to) })
}

// moveAside makes way for the current link where somebody has put a folder.
func (s *site) moveAside(ctx context.Context, deployment string) error {
	current := s.current(deployment)
	err := s.files(ctx, func(c *sftp.Client) error { return c.RemoveDirectory(current) })
	if err == nil {
		return nil
	}
	aside := current + ".aside" + strings.TrimPrefix(s.temporaryName(), s.temporaryPrefix())
	if err := s.rename(ctx, current, aside); err != nil {
		return fmt.Errorf("%s is a folder and no link, and cannot be moved aside: %w", current, err)
	}
	s.emit("switch", "%s was a folder and no link: moved to %s", current, aside)
	return nil
}

// errNoLink is that something else stands where the current link belongs.
var errNoLink = errors.New("current is no link")

// currentRelease is the id that the current link names; "" without one. What is
// there and no link is errNoLink.
func (s *site) currentRelease(ctx context.Context, deployment string) (string, error) {
	var target string
	err := s.files(ctx, func(c *sftp.Client) (err error) {
		info, err := c.Lstat(s.current(deployment))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && info.Mode().Type() != fs.ModeSymlink:
			return errNoLink
		case err == nil:
			target, err = c.ReadLink(s.current(deployment))
		}
		return err
	})
	id, ok := strings.CutPrefix(target, releasesDir+"/")
	if !ok {
		id = target
	}
	return id, err
}
