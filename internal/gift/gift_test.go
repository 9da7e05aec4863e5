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
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
)

const prefix = ".tmp-12345678-"

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
	if conn, err := net.Dial("tcp", at(where)); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

// Who does not know the secret, or meets another key, moves nothing; the right one still does.
func TestStrangers(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	files := []File{blob(t, from, 1, 1000)}
	secret := NewSecret()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: files})
	silent, err := net.Dial("tcp", at(where))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	wrongKey := startGiver(t, from, GiveRequest{Address: at(where), Key: NewSecret(), Secret: secret, Files: files})
	if err := <-wrongKey.done; !errors.Is(err, errKey) {
		t.Errorf("with another key: %v", err)
	}
	wrongSecret := startGiver(t, from, GiveRequest{Address: at(where), Key: where.Key, Secret: NewSecret(), Files: files})
	if err := <-wrongSecret.done; err == nil {
		t.Error("with another secret: no error")
	}
	if left, _ := filepath.Glob(filepath.Join(to, ".tmp*")); len(left) > 0 {
		t.Errorf("%q was written", left)
	}
	right := startGiver(t, from, GiveRequest{Address: at(where), Key: where.Key, Secret: secret, Files: files})
	if end := taker.last(t); !end.Done {
		t.Errorf("in the end %+v", end)
	}
	if err := errors.Join(<-taker.done, <-right.done); err != nil {
		t.Error(err)
	}
}

// What is not in the folder of blobs, or is not as the operator said, is not given.
func TestOnlyBlobsAreGiven(t *testing.T) {
	outside := t.TempDir()
	secretFile := blob(t, outside, 9, 1000)
	for name, harm := range map[string]func(folder string, f File) error{
		"missing": func(folder string, f File) error { return os.Remove(filepath.Join(folder, f.Digest)) },
		"shorter": func(folder string, f File) error { return os.Truncate(filepath.Join(folder, f.Digest), 10) },
		"a folder": func(folder string, f File) error {
			return replace(folder, f, func(n string) error { return os.Mkdir(n, 0o700) })
		},
		"a link": func(folder string, f File) error {
			return replace(folder, f, func(n string) error { return os.Symlink(filepath.Join(outside, secretFile.Digest), n) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := t.TempDir(), t.TempDir()
			files := []File{blob(t, from, 1, 5000), blob(t, from, 2, 1000)}
			if err := harm(from, files[1]); err != nil {
				t.Fatal(err)
			}
			secret := NewSecret()
			taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: files})
			giver := startGiver(t, from, GiveRequest{Address: at(where), Key: where.Key, Secret: secret, Files: files})
			if end := taker.last(t); end.Done {
				t.Error("all is said to have come")
			}
			if err := <-giver.done; err == nil || !strings.Contains(err.Error(), files[1].Digest[:12]) {
				t.Errorf("the giver says %v", err)
			}
			if err := <-taker.done; err == nil || !strings.Contains(err.Error(), "stopped in the middle") {
				t.Errorf("the taker says %v", err)
			}
		})
	}
}

func replace(folder string, f File, with func(name string) error) error {
	name := filepath.Join(folder, f.Digest)
	return errors.Join(os.Remove(name), with(name))
}

// A part file that somebody made a link, or a folder, leads nowhere.
func TestPartFilesAreNoLinks(t *testing.T) {
	from, to, outside := t.TempDir(), t.TempDir(), t.TempDir()
	files := []File{blob(t, from, 1, 1000)}
	victim := filepath.Join(outside, "victim")
	write(t, victim, []byte("mine"))
	if err := os.Symlink(victim, filepath.Join(to, prefix+files[0].Digest)); err != nil {
		t.Fatal(err)
	}
	secret := NewSecret()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: secret, Prefix: prefix, Files: files})
	giver := startGiver(t, from, GiveRequest{Address: at(where), Key: where.Key, Secret: secret, Files: files})
	taker.last(t)
	if err := errors.Join(<-taker.done, <-giver.done); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(victim); err != nil || string(content) != "mine" {
		t.Errorf("the file behind the link is %q, %v", content, err)
	}
}

func TestHostileRequests(t *testing.T) {
	good := File{Digest: strings.Repeat("a", 64), Size: 1}
	many := make([]File, MaxFiles+1)
	for i := range many {
		many[i] = File{Digest: fmt.Sprintf("%064x", i), Size: 1}
	}
	take := func(edit func(*TakeRequest)) []byte {
		r := TakeRequest{Host: "127.0.0.1", Port: 1, Secret: NewSecret(), Prefix: prefix, Files: []File{good}}
		edit(&r)
		return line(t, r)
	}
	named := func(digest string) []byte {
		return take(func(r *TakeRequest) { r.Files = []File{{Digest: digest, Size: 1}} })
	}
	for name, text := range map[string][]byte{
		"nothing":         nil,
		"no JSON":         []byte("hello\n"),
		"no end":          bytes.Repeat([]byte{'x'}, MaxLine+1),
		"a path":          named("../../key.pem"),
		"a path in front": named("../" + strings.Repeat("a", 64)),
		"capitals":        named(strings.Repeat("A", 64)),
		"a newline":       named(strings.Repeat("a", 64) + "\n"),
		"a zero byte":     named(strings.Repeat("a", 63) + "\x00"),
		"twice":           take(func(r *TakeRequest) { r.Files = []File{good, good} }),
		"no file":         take(func(r *TakeRequest) { r.Files = nil }),
		"too many":        take(func(r *TakeRequest) { r.Files = many }),
		"less than empty": take(func(r *TakeRequest) { r.Files = []File{{good.Digest, -1}} }),
		"too big":         take(func(r *TakeRequest) { r.Files = []File{{good.Digest, 1 << 60}} }),
		"short secret":    take(func(r *TakeRequest) { r.Secret = []byte("x") }),
		"no prefix":       take(func(r *TakeRequest) { r.Prefix = "" }),
		"prefix outside":  take(func(r *TakeRequest) { r.Prefix = ".tmp-a/../-" }),
		"no such port":    take(func(r *TakeRequest) { r.Port = 70000 }),
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			folder := t.TempDir()
			if err := Take(context.Background(), folder, bytes.NewReader(text), &out); err == nil || out.Len() > 0 {
				t.Errorf("take: %v, and printed %q", err, out.String())
			}
			if name == "no prefix" || name == "prefix outside" || name == "no such port" {
				return // of take alone
			}
			if err := Give(context.Background(), folder, bytes.NewReader(text), io.Discard); err == nil {
				t.Error("give: no error")
			}
		})
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

// Writing that fails, at any block, is told of; the giver hears of it at once.
func TestFailedWrites(t *testing.T) {
	content := make([]byte, 3*blockBytes+1)
	for n := range 4 {
		here, there := net.Pipe()
		go func() { _, _ = there.Write(content) }()
		full := &failing{after: n}
		reports := &bytes.Buffer{}
		taker := &taking{reports: json.NewEncoder(reports), told: time.Now()}
		if err := taker.copy(full, here, int64(len(content))); !errors.Is(err, errFull) {
			t.Errorf("write %d: %v", n, err)
		}
		if taker.bytes != int64(n)*blockBytes {
			t.Errorf("write %d: %d bytes are said to have come", n, taker.bytes)
		}
		here.Close()
		there.Close()
	}
}

var errFull = errors.New("no space left on device")

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// Many strangers, and then nobody: the taker does not wait for ever. It is told who did not come.
func TestNobodyComes(t *testing.T) {
	t.Parallel()
	to := t.TempDir()
	taker, where := startTaker(t, to, TakeRequest{Host: "127.0.0.1", Port: firstPort(t), Secret: NewSecret(), Prefix: prefix, Files: []File{{strings.Repeat("a", 64), 1}}})
	for range 16 {
		conn, err := net.Dial("tcp", at(where))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if err := <-taker.done; !errors.Is(err, peer.ErrStranger) || !strings.Contains(err.Error(), "did not come to port") {
		t.Errorf("the taker says %v", err)
	}
}

// Whatever the operator's end says, a request is refused or names nothing but blobs.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"host":"","port":1,"secret":"","prefix":".tmp-a-","files":[{"digest":"../x","size":1}]}` + "\n"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var request TakeRequest
		if _, err := readRequest(context.Background(), bytes.NewReader(text), &request); err != nil {
			return
		}
		if check(request.Secret, request.Files) != nil || !prefixPattern.MatchString(request.Prefix) {
			return
		}
		for _, file := range request.Files {
			if name := request.Prefix + file.Digest; filepath.Base(name) != name || len(name) > 255 {
				t.Errorf("%q is the name of a part file", name)
			}
		}
	})
}

// A device without a worker gets the program that runs on another, by a shell alone; nothing else
// is given that way, and to nobody else.
func TestFetch(t *testing.T) {
	if out, err := exec.Command("sh", "-c", CanFetch).Output(); err != nil || string(out) != "yes\n" {
		t.Skipf("bash cannot connect here: %q, %v", out, err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, to := t.TempDir(), t.TempDir()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	own := File{Digest: hex.EncodeToString(sum[:]), Size: int64(len(content))}
	if err := os.Symlink(program, filepath.Join(from, own.Digest)); err != nil { // a blob is no link
		t.Fatal(err)
	}
	other := blob(t, from, 1, 1000)
	secret := NewSecret()
	ask := func(f ...File) GiveRequest {
		return GiveRequest{Secret: secret, Files: f, Itself: &Listen{"127.0.0.1", firstPort(t)}}
	}
	for name, request := range map[string]GiveRequest{"another file": ask(other), "a link to it": ask(own)} {
		giver := startGiver(t, from, request)
		if end := giver.last(t); end.Port != 0 {
			t.Errorf("%s: it listens", name)
		}
		if err := <-giver.done; err == nil || !strings.Contains(err.Error(), "only the worker program") {
			t.Errorf("%s: %v", name, err)
		}
	}
	blobs := filepath.Dir(program) // the same file system, for a hard link
	link := filepath.Join(blobs, own.Digest)
	if err := os.Link(program, link); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(link)
	giver := startGiver(t, blobs, ask(own))
	var where Report
	if err := giver.out.Decode(&where); err != nil {
		t.Fatal(err, <-giver.done)
	}
	fetch := func(secret []byte) (string, error) {
		command := exec.Command("bash", "-c", Fetch, "fetch", to, prefix+own.Digest, "127.0.0.1", fmt.Sprint(where.Port), fmt.Sprint(own.Size))
		command.Stdin = strings.NewReader(hex.EncodeToString(secret) + "\n")
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if out, err := fetch(NewSecret()); err == nil || !strings.Contains(out, "stopped in the middle") {
		t.Errorf("with another secret: %q, %v", out, err)
	}
	write(t, filepath.Join(to, prefix+own.Digest), []byte("left by an earlier run"))
	if out, err := fetch(secret); err != nil || !strings.HasSuffix(out, fmt.Sprintf("{\"bytes\":%d,\"done\":true}\n", own.Size)) {
		t.Errorf("%q, %v", out, err)
	}
	if err := <-giver.done; err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(to, prefix+own.Digest)); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
}
