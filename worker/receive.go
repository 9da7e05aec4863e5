package worker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Receive writes what comes in to a file, from an offset on, flushes it, and prints the
// sha256 digest of the whole file as sha256sum does. With offset 0 the file is new; else its
// first bytes stay and what is behind them goes.
//
// It is hashed and flushed while it is written, so that little is left to be done after the
// last byte.
func Receive(name, offset string, r io.Reader, w io.Writer) error {
	at, err := strconv.ParseInt(offset, 10, 64)
	if err != nil || at < 0 {
		return fmt.Errorf("%q is no offset", offset)
	}
	flags := os.O_RDWR | syscall.O_NOFOLLOW
	if at == 0 {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}
	digest := sha256.New()
	err = errors.Join(receiveInto(f, at, digest, r), f.Close())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%x  %s\n", digest.Sum(nil), name)
	return err
}

func receiveInto(f *os.File, at int64, digest hash.Hash, r io.Reader) error {
	if n, err := io.CopyN(digest, f, at); err != nil {
		return fmt.Errorf("%s has %d bytes, not %d: %w", f.Name(), n, at, err)
	}
	if err := f.Truncate(at); err != nil {
		return err
	}
	if err := copyHashed(f, digest, r); err != nil {
		return err
	}
	return f.Sync()
}

const (
	receiveBlock  = 1 << 20
	receiveBlocks = 3  // one read, one written, one hashed
	flushEvery    = 32 // blocks
)

// copyHashed writes, hashes and flushes at the same time.
func copyHashed(f *os.File, digest hash.Hash, r io.Reader) error {
	free, written := make(chan []byte, receiveBlocks), make(chan []byte, receiveBlocks)
	for range receiveBlocks {
		free <- make([]byte, receiveBlock)
	}
	due := make(chan struct{}, 1)
	var beside errgroup.Group
	beside.Go(func() error {
		defer close(due)
		hashBlocks(digest, written, free, due)
		return nil
	})
	beside.Go(func() (err error) {
		for range due {
			err = errors.Join(err, f.Sync()) // which tells of a failure but once
		}
		return err
	})
	err := eachBlock(r, free, func(block []byte) error {
		_, err := f.Write(block)
		written <- block
		return err
	})
	close(written)
	return errors.Join(err, beside.Wait())
}

// hashBlocks hashes blocks and gives them back. After some, a flush is due.
func hashBlocks(digest hash.Hash, written <-chan []byte, free chan<- []byte, due chan<- struct{}) {
	n := 0
	for block := range written {
		digest.Write(block)
		free <- block[:receiveBlock]
		if n++; n%flushEvery == 0 {
			select {
			case due <- struct{}{}:
			default: // the disk is busy with the one before
			}
		}
	}
}

// eachBlock reads blocks until the end.
func eachBlock(r io.Reader, free <-chan []byte, do func([]byte) error) error {
	for {
		block := <-free
		n, err := io.ReadFull(r, block)
		if n > 0 {
			if err := do(block[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}
