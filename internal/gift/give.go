package gift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
	"github.com/edgeplan/edgeplan/internal/resolve"
)

// Give does what a GiveRequest on in asks for, out of the folder of blobs, and reports on out.
func Give(ctx context.Context, folder string, in io.Reader, out io.Writer) error {
	var request GiveRequest
	ctx, err := readRequest(ctx, in, &request)
	if err != nil {
		return err
	}
	if err := check(request.Secret, request.Files); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	if request.Itself != nil {
		return because(ctx, giveItself(ctx, root, request, out))
	}
	raw, err := resolve.Dial(ctx, request.Address, peer.GreetTimeout)
	if err != nil {
		return because(ctx, fmt.Errorf("the other device is not reached: %w", err))
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	return because(ctx, giveOver(raw, root, request))
}

func giveOver(raw net.Conn, root *os.Root, request GiveRequest) error {
	conn, err := introduce(raw, request.Key, request.Secret)
	if err != nil {
		return fmt.Errorf("%s: %w", request.Address, err)
	}
	defer conn.Close()
	for _, f := range request.Files {
		if err := giveOne(conn, root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Digest[:12], cutOr(err))
		}
	}
	return awaitThanks(conn)
}

func giveOne(conn net.Conn, root *os.Root, f File) error {
	file, err := root.OpenFile(f.Digest, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != f.Size {
		return fmt.Errorf("it is no file of %d bytes here", f.Size)
	}
	block := make([]byte, min(f.Size, blockBytes))
	for left := f.Size; left > 0; {
		part := block[:min(left, blockBytes)]
		if _, err := io.ReadFull(file, part); err != nil {
			return err
		}
		_ = conn.SetWriteDeadline(time.Now().Add(silence))
		if _, err := conn.Write(part); err != nil {
			return err
		}
		left -= int64(len(part))
	}
	return nil
}

// awaitThanks waits until the taker has written all. What is under way may take a while on a
// slow line, on which the kernel gives up by itself.
func awaitThanks(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(drain))
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != received {
		return errors.Join(errors.New("the other device did not say that all has come"), err)
	}
	return nil
}

// drain is what the buffers of a connection may take to empty: some MB at 1 Mbit/s.
const drain = time.Minute
