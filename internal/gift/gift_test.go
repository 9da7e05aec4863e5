package gift

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
)

const prefix = ".tmp-12345678-"

// A machine that has other things to do is no stranger.
func TestMain(m *testing.M) {
	peer.AcceptTimeout, peer.GreetTimeout = 2*time.Minute, 2*time.Minute
	os.Exit(m.Run())
}

// blob writes a blob of random bytes and describes it.
func blob(t *testing.T, folder string, seed uint64, size int) File {
	t.Helper()
	random, content := rand.New(rand.NewPCG(seed, 1)), make([]byte, size)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	sum := sha256.Sum256(content)
	f := File{Digest: hex.EncodeToString(sum[:]), Size: int64(size)}
	write(t, filepath.Join(folder, f.Digest), content)
	return f
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func line(t *testing.T, request any) []byte {
	t.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// program is one end, as the operator has it in an SSH session.
type program struct {
	in   *io.PipeWriter
	out  *json.Decoder
	done chan error
}

func start(t *testing.T, request any, run func(in io.Reader, out io.Writer) error) *program {
	t.Helper()
	in, feed := io.Pipe()
	told, out := io.Pipe()
	p := &program{in: feed, out: json.NewDecoder(told), done: make(chan error, 1)}
	go func() {
		err := run(in, out)
		out.CloseWithError(io.EOF)
		p.done <- err
	}()
	go func() { _, _ = feed.Write(line(t, request)) }()
	t.Cleanup(func() { feed.Close(); told.Close() })
	return p
}

func startTaker(t *testing.T, folder string, request TakeRequest) (*program, Report) {
	t.Helper()
	p := start(t, request, func(in io.Reader, out io.Writer) error { return Take(context.Background(), folder, in, out) })
	var where Report
	if err := p.out.Decode(&where); err != nil {
		t.Fatal(err, <-p.done)
	}
	return p, where
}

func startGiver(t *testing.T, folder string, request GiveRequest) *program {
	t.Helper()
	return start(t, request, func(in io.Reader, out io.Writer) error { return Give(context.Background(), folder, in, out) })
}

// last reads reports until the last one.
func (p *program) last(t *testing.T) (r Report) {
	t.Helper()
	for {
		var next Report
		if err := p.out.Decode(&next); err != nil {
			return r
		}
		if next.Bytes < r.Bytes {
			t.Errorf("first %d bytes had come, then %d", r.Bytes, next.Bytes)
		}
		r = next
	}
}

func at(where Report) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(where.Port)) }

func firstPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return min(l.Addr().(*net.TCPAddr).Port, 65500)
}

func TestGift(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	files := []File{blob(t, from, 1, 3<<20+7), blob(t, from, 2, 1), blob(t, from, 3, 0), blob(t, from, 4, blockBytes)}
	write(t, filepath.Join(to, prefix+files[0].Digest), bytes.Repeat([]byte{1}, 9<<20)) // left by an earlier run
	secret := NewSecret()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: files})
	giver := startGiver(t, from, GiveRequest{Address: at(where), Key: where.Key, Secret: secret, Files: files})
	if end := taker.last(t); !end.Done || end.Bytes != 3<<20+8+blockBytes {
		t.Errorf("in the end %+v", end)
	}
	if err := errors.Join(<-taker.done, <-giver.done); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(to, prefix+f.Digest))
		if sum := sha256.Sum256(content); err != nil || hex.EncodeToString(sum[:]) != f.Digest {
			t.Errorf("%s: %d bytes of another content, %v", f.Digest, len(content), err)
		}
	}
}

// Either program ends with the operator's connection.
func TestEndsWithOperator(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	files := []File{blob(t, from, 1, 1000)}
	secret := NewSecret()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: files})
	taker.in.Close()
	if err := <-taker.done; !errors.Is(err, errLeft) {
		t.Errorf("the taker says %v", err)
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	giver := startGiver(t, from, GiveRequest{Address: mute.Addr().String(), Key: where.Key, Secret: secret, Files: files})
	conn, err := mute.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	giver.in.Close()
	if err := <-giver.done; !errors.Is(err, errLeft) {
		t.Errorf("the giver says %v", err)
	}
}

// Strangers or nobody: the taker does not wait for ever, and says which.
func TestNobodyComes(t *testing.T) {
	defer func(before time.Duration) { peer.AcceptTimeout = before }(peer.AcceptTimeout)
	peer.AcceptTimeout = time.Second
	for strangers, want := range map[int]error{0: peer.ErrNobody, 40: peer.ErrStranger} {
		taker, where := startTaker(t, t.TempDir(), TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: NewSecret(), Prefix: prefix, Files: []File{{strings.Repeat("a", 64), 1}}})
		for range strangers {
			if conn, err := net.Dial("tcp", at(where)); err == nil {
				conn.Close()
			}
		}
		if err := <-taker.done; !errors.Is(err, want) || !strings.Contains(err.Error(), "did not come to port") {
			t.Errorf("%d strangers: the taker says %v, want %v", strangers, err, want)
		}
	}
}

// What an upload has left of a file stays until something has come.
func TestPartFileStaysUntilSomethingComes(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	f := blob(t, from, 1, 1000)
	part := filepath.Join(to, prefix+f.Digest)
	write(t, part, []byte("left by an upload"))
	secret := NewSecret()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: []File{f}})
	giver := startGiver(t, t.TempDir(), GiveRequest{Address: at(where), Key: where.Key, Secret: secret, Files: []File{f}})
	taker.last(t)
	if err := <-giver.done; err == nil {
		t.Error("it gave what it has not")
	}
	if err := <-taker.done; err == nil {
		t.Error("it took what did not come")
	}
	if left, err := os.ReadFile(part); err != nil || string(left) != "left by an upload" {
		t.Errorf("of the upload is left %q, %v", left, err)
	}
}

// Nobody else goes on in a file while it comes: a later run leaves it to this one.
func TestFileIsLockedWhileItComes(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	f := blob(t, from, 1, 3<<20)
	secret := NewSecret()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: []File{f}})
	raw, err := net.Dial("tcp", at(where))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn, err := introduce(raw, where.Key, secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	var come Report
	if err := taker.out.Decode(&come); err != nil {
		t.Fatal(err)
	}
	part, err := os.OpenFile(filepath.Join(to, prefix+f.Digest), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if err := syscall.Flock(int(part.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("the file can be locked: %v", err)
	}
}
