// Package gift moves blobs from one device straight to another: `edgeplan-worker take` on the
// one that lacks them and `edgeplan-worker give` on the one that has them. Each runs for as
// long as the operator's SSH session with it, over which it is told what to do. The taker
// listens once, with a key of the moment whose digest goes to the giver over SSH; so does a
// secret, which the giver proves to know. The taker writes part files only: whether these
// are the blobs that they should be is found out as after any upload.
package gift

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

// TakeRequest is the one line of JSON on the standard input of `edgeplan-worker take`. That the
// input ends before the work is done ends the program.
type TakeRequest struct {
	Host   string `json:"host"` // the device's pipeline address
	Port   int    `json:"port"` // the first to try
	Secret []byte `json:"secret"`
	Prefix string `json:"prefix"` // of the names of part files, before the digest
	Files  []File `json:"files"`  // in the order in which they come
}

// GiveRequest is the same of `edgeplan-worker give`.
type GiveRequest struct {
	Address string `json:"address,omitempty"` // of the taker, host:port
	Key     []byte `json:"key,omitempty"`     // as in Report
	Secret  []byte `json:"secret"`
	Files   []File `json:"files"` // in the order in which they go
	// Itself has the giver listen and give its own program instead, to a device that has
	// no worker program yet (Fetch).
	Itself *Listen `json:"itself,omitempty"`
}

// Listen is where to listen.
type Listen struct {
	Host string `json:"host"` // the device's pipeline address
	Port int    `json:"port"` // the first to try
}

// File is a blob.
type File struct {
	Digest string `json:"digest"` // sha256, 64 hex digits; its name in the folder of blobs
	Size   int64  `json:"size"`   // bytes
}

// Report is a line of JSON on the standard output of `edgeplan-worker take`: where it listens,
// then now and then what has come, and in the end that all has. Of `edgeplan-worker give` it is
// only where it listens, if it does.
type Report struct {
	Port  int    `json:"port,omitempty"`
	Key   []byte `json:"key,omitempty"`   // sha256 of the SubjectPublicKeyInfo of its key
	Bytes int64  `json:"bytes,omitempty"` // that have come so far
	Done  bool   `json:"done,omitempty"`
}

// Limits of a request.
const (
	MaxLine     = 1 << 20 // bytes of a request and of a report
	MaxFiles    = 4096
	maxSize     = 1 << 40
	secretBytes = 32
)

// silence is how long the other device may neither send nor take anything.
const silence = 15 * time.Second

// NewSecret makes what both ends of one gift know.
func NewSecret() []byte {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	return secret
}

var (
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	prefixPattern = regexp.MustCompile(`^\.tmp-[0-9A-Za-z_-]{1,80}-$`)
)

// check refuses files that no operator asks for.
func check(secret []byte, files []File) error {
	if len(secret) != secretBytes {
		return fmt.Errorf("a secret of %d bytes, not %d", len(secret), secretBytes)
	}
	if len(files) == 0 || len(files) > MaxFiles {
		return fmt.Errorf("%d files were asked for, and 1 to %d may be", len(files), MaxFiles)
	}
	seen := map[string]bool{}
	for _, f := range files {
		if !digestPattern.MatchString(f.Digest) || seen[f.Digest] || f.Size < 0 || f.Size > maxSize {
			return fmt.Errorf("%q of %d bytes is no blob, or is asked for twice", f.Digest, f.Size)
		}
		seen[f.Digest] = true
	}
	return nil
}

// errLeft ends a program whose operator has gone.
var errLeft = errors.New("the operator's connection has ended")

// readRequest reads the one line of a request. The context that it gives ends with in.
func readRequest(ctx context.Context, in io.Reader, request any) (context.Context, error) {
	lines := bufio.NewReader(in)
	line, err := bounded(lines)
	if err != nil {
		return nil, fmt.Errorf("read what is asked for: %w", err)
	}
	if err := json.Unmarshal(line, request); err != nil {
		return nil, fmt.Errorf("what was asked is no request: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		cancel(errLeft)
	}()
	return ctx, nil
}

func bounded(lines *bufio.Reader) ([]byte, error) {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(make([]byte, 64<<10), MaxLine)
	if !scanner.Scan() {
		return nil, errors.Join(scanner.Err(), io.ErrUnexpectedEOF)
	}
	return scanner.Bytes(), nil
}

// because is why something failed: also the end of ctx, which closes connections.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}
