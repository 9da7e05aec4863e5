package worker

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// ReceiveGreeting is the first line that Receive prints. Its number changes with what follows.
const ReceiveGreeting = "edgeplan-worker receives files, version 2"

// Receive writes the files that come in to a folder, until the input ends. Each is an Incoming
// line, and then the bytes from its offset to its end. Once a file is whole and on the disk its
// line is printed, as sha256sum prints it, in whatever order they are done; now and then
// ReceiveFlushing before.
//
// Files are hashed and flushed while they are written, and while the next ones come in, so that
// little is left to be done after the last byte. The first failure ends it, whatever still comes
// in; what was written stays.
func Receive(dir string, r io.Reader, w io.Writer) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	widen(r)
	if _, err := fmt.Fprintln(w, ReceiveGreeting); err != nil {
		return err
	}
	flushing, failed := errgroup.WithContext(context.Background())
	flushing.SetLimit(flushAtOnce)
	in := &receiving{folder: folder, in: bufio.NewReaderSize(r, receiveBlock), out: w, flushing: flushing, failed: failed,
		free: make(chan []byte, receiveBlocks)}
	for range receiveBlocks {
		in.free <- make([]byte, receiveBlock)
	}
	defer in.tellFlushing(flushTold, pagesWritten)()
	ended := make(chan error, 1)
	go func() { ended <- in.files() }()
	select {
	case err := <-ended:
		if failure := flushing.Wait(); failure != nil {
			return failure
		}
		return err
	case <-failed.Done(): // the input is not waited for
		return context.Cause(failed)
	}
}

const (
	receiveBlock  = 256 << 10
	receiveBlocks = 12  // some are read, written and hashed at the same time
	flushEvery    = 128 // blocks
	flushAtOnce   = 8   // files: a journal commits them together
)

// receiving is one call of Receive.
type receiving struct {
	folder   *os.File
	in       *bufio.Reader
	out      io.Writer // under printing
	printing sync.Mutex
	free     chan []byte
	flushing *errgroup.Group
	flushes  atomic.Int64    // under way
	failed   context.Context // ends when a flush fails
}

// files takes one file after the other.
func (r *receiving) files() error {
	for {
		file, err := readIncoming(r.in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = r.file(file)
		}
		if err != nil {
			return err
		}
	}
}

// file takes one file, and leaves it to be flushed and told of while the next one comes.
func (r *receiving) file(file Incoming) error {
	f, err := openIncoming(r.folder, file)
	if err != nil {
		return err
	}
	digest := sha256.New()
	beside, err := r.copyHashed(f, digest, file)
	if err != nil {
		return errors.Join(err, beside.Wait(), f.Close())
	}
	r.flushing.Go(func() error {
		if err := errors.Join(beside.Wait(), r.flush(f), f.Close()); err != nil {
			return err
		}
		return r.print(fmt.Sprintf("%x  %s", digest.Sum(nil), file.Name))
	})
	return nil
}

func (r *receiving) print(line string) error {
	r.printing.Lock()
	defer r.printing.Unlock()
	_, err := fmt.Fprintln(r.out, line)
	return err
}

// copyHashed writes what comes of a file; beside that it is hashed and flushed.
func (r *receiving) copyHashed(f *os.File, digest hash.Hash, file Incoming) (beside *errgroup.Group, err error) {
	beside = new(errgroup.Group)
	if n, err := io.CopyN(digest, f, file.Offset); err != nil {
		return beside, fmt.Errorf("%s has %d bytes, not %d: %w", file.Name, n, file.Offset, err)
	}
	if err := f.Truncate(file.Offset); err != nil {
		return beside, err
	}
	written, due := make(chan []byte, receiveBlocks), make(chan struct{}, 1)
	defer close(written)
	beside.Go(func() error {
		defer close(due)
		r.hashBlocks(digest, written, due)
		return nil
	})
	beside.Go(func() (err error) {
		for range due {
			err = errors.Join(err, r.flush(f)) // which tells of a failure but once
		}
		return err
	})
	return beside, r.eachBlock(file, func(block []byte) error {
		_, err := f.Write(block)
		written <- block
		return err
	})
}

// hashBlocks hashes blocks and gives them back. After some, a flush is due.
func (r *receiving) hashBlocks(digest hash.Hash, written <-chan []byte, due chan<- struct{}) {
	n := 0
	for block := range written {
		digest.Write(block)
		r.free <- block[:receiveBlock]
		if n++; n%flushEvery == 0 {
			select {
			case due <- struct{}{}:
			default: // the disk is busy with the one before
			}
		}
	}
}

// eachBlock reads what comes of a file.
func (r *receiving) eachBlock(file Incoming, do func([]byte) error) error {
	for left := file.Size - file.Offset; left > 0; {
		block := <-r.free
		n, ended := io.ReadFull(r.in, block[:min(left, receiveBlock)])
		if err := do(block[:n]); err != nil { // a part, too: the next run goes on behind it
			return err
		}
		if left -= int64(n); ended != nil {
			return fmt.Errorf("the input ended %d bytes before the end of %s: %w", left, file.Name, ended)
		}
		if r.failed.Err() != nil {
			return context.Cause(r.failed)
		}
	}
	return nil
}
