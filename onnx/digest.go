package onnx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// digestOf is the sha256 of what a reader gives, as hex digits.
func digestOf(ctx context.Context, r io.Reader) (string, error) {
	hash := sha256.New()
	buf := make([]byte, 1<<18)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := r.Read(buf)
		hash.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(hash.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// copyHashed copies a reader into a writer and gives the digest of what it copied, as
// hex digits. The digest is made beside the copying, because each takes about as long.
func copyHashed(ctx context.Context, out io.Writer, in io.Reader, digest hash.Hash) (string, error) {
	const chunk, chunks = 1 << 18, 4
	free, full, sum := make(chan []byte, chunks), make(chan []byte, chunks), make(chan string)
	for range chunks {
		free <- make([]byte, chunk)
	}
	go func() {
		for buf := range full {
			digest.Write(buf)
			free <- buf[:chunk]
		}
		sum <- hex.EncodeToString(digest.Sum(nil))
	}()
	err := copyChunks(ctx, out, in, free, full)
	close(full)
	return <-sum, err
}

// copyChunks copies through the buffers of free and passes them on to full.
func copyChunks(ctx context.Context, out io.Writer, in io.Reader, free <-chan []byte, full chan<- []byte) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf := <-free
		n, err := in.Read(buf)
		full <- buf[:n]
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
