package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FileError says which operation on which file of the state failed, why, and
// what to do.
type FileError struct {
	Path  string
	Doing string // as "read the state"
	Err   error
}

func (e *FileError) Error() string {
	reason := e.Err
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(reason, &path):
		reason = path.Err
	case errors.As(reason, &link):
		reason = link.Err
	}
	return fmt.Sprintf("cannot %s: %s: %v; %s", e.Doing, e.Path, reason, e.advice())
}

// Unwrap gives the cause to errors.Is.
func (e *FileError) Unwrap() error { return e.Err }

func (e *FileError) advice() string {
	folder := filepath.Dir(e.Path)
	switch {
	case errors.Is(e.Err, syscall.EISDIR):
		return "the state is a file, and a folder stands in its place: move it away"
	case errors.Is(e.Err, fs.ErrNotExist) && isLink(e.Path):
		return "it is a symbolic link to a file that is not there: bring that back, or remove the link if nothing is deployed"
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("is there a folder %s?", folder)
	case errors.Is(e.Err, fs.ErrPermission), errors.Is(e.Err, syscall.EROFS):
		return fmt.Sprintf("edgeplan needs to read and write in %s: change its permissions, or run as the user who owns it", folder)
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return fmt.Sprintf("free some space where %s is", folder)
	}
	return fmt.Sprintf("look at what stands in %s", folder)
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
