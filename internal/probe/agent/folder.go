package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/edgeplan/edgeplan/internal/probe"
)

var (
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameForm   = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z._+-]{0,199}$`)
)

// folder makes a folder with blobs under their names, as a release has them. remove
// takes it away.
func (a *agent) folder(files []probe.File) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(a.Root, scratchPattern)
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	for _, file := range files {
		if !digestForm.MatchString(file.Digest) || !nameForm.MatchString(file.Name) {
			err = fmt.Errorf("%q is no name of a file, or %q no digest", file.Name, file.Digest)
		} else {
			err = linkOrCopy(filepath.Join(a.Root, "blobs", "sha256", file.Digest), filepath.Join(dir, file.Name))
		}
		if err != nil {
			remove()
			return "", nil, err
		}
	}
	return dir, remove, nil
}

// linkOrCopy makes a hard link, or a copy where the file system has none.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
