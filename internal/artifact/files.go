package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// describe reads path, size and digest of a file.
func describe(path string) (Artifact, error) {
	f, err := os.Open(path)
	if err != nil {
		return Artifact{}, err
	}
	defer func() { _ = f.Close() }()
	digest := sha256.New()
	size, err := io.Copy(digest, f)
	if err != nil {
		return Artifact{}, fmt.Errorf("read %s: %w", path, err)
	}
	return Artifact{Path: path, Size: size, Digest: hex.EncodeToString(digest.Sum(nil))}, nil
}

// install makes target the file of an artifact, by a hard link where the file
// system and the mode allow it and a copy elsewhere. Target is the old or the
// new file at every moment.
func install(a Artifact, target string, mode fs.FileMode) error {
	if have, err := describe(target); err == nil && have.Digest == a.Digest && hasMode(target, mode) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(target), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	part := filepath.Join(temp, filepath.Base(target))
	if !hasMode(a.Path, mode) || os.Link(a.Path, part) != nil {
		if err := copyFile(a, part, mode); err != nil {
			return err
		}
	}
	return os.Rename(part, target)
}

// hasMode says whether a regular file has at least the bits of mode.
func hasMode(path string, mode fs.FileMode) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&mode == mode
}

// copyFile copies an artifact and checks that it is still the one described.
func copyFile(a Artifact, target string, mode fs.FileMode) error {
	from, err := os.Open(a.Path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	digest := sha256.New()
	if err := writeFile(target, io.TeeReader(from, digest), mode); err != nil {
		return err
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != a.Digest {
		return fmt.Errorf("%s changed while it was read: sha256 %s became %s; run it again", a.Path, a.Digest, got)
	}
	return nil
}

// writeFile writes a new file and flushes it to the disk.
func writeFile(path string, content io.Reader, mode fs.FileMode) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, content)
	if err == nil {
		err = to.Chmod(mode) // whatever the umask
	}
	if err == nil {
		err = to.Sync()
	}
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	return err
}
