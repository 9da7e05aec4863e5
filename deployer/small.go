package deployer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/pkg/sftp"
)

// maxSmallFile bounds what is read of a manifest or another small file.
const maxSmallFile = 4 << 20

// writeSmall writes a file for this user alone and puts it in place in one step.
func (s *site) writeSmall(ctx context.Context, dir, name string, content []byte) error {
	err := s.files(ctx, func(c *sftp.Client) error {
		temporary := path.Join(dir, s.temporaryName())
		r := &sizedReader{Reader: bytes.NewReader(content), ctx: ctx, size: int64(len(content)), moved: func(int) {}}
		if err := writeFile(c, temporary, 0, r); err != nil {
			return err
		}
		if err := c.Chmod(temporary, 0o600); err != nil {
			return err
		}
		return c.PosixRename(temporary, path.Join(dir, name))
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", name, s.explainWrite(ctx, err, int64(len(content))))
	}
	return nil
}

// readSmall reads a small file; ok is false when there is none.
func (s *site) readSmall(ctx context.Context, file string) (content []byte, ok bool, err error) {
	err = s.files(ctx, func(c *sftp.Client) error {
		f, err := c.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		content, err = io.ReadAll(io.LimitReader(f, maxSmallFile))
		ok = err == nil
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", file, err)
	}
	return content, ok, nil
}

// exists says whether there is a file or folder.
func (s *site) exists(ctx context.Context, file string) (bool, error) {
	found := false
	err := s.files(ctx, func(c *sftp.Client) error {
		_, err := c.Lstat(file)
		found = err == nil
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	return found, err
}
