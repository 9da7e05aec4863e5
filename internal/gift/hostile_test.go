package gift

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
