package worker

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One call takes files of all sizes, new ones and the rest of others.
func TestReceive(t *testing.T) {
	content := make([]byte, 70<<20+123)
	rand.NewChaCha8([32]byte{1}).Read(content)
	dir := t.TempDir()
	var in bytes.Buffer
	want := map[string]string{}
	for i, test := range []struct {
		size        int
		there, from int // bytes of the file before, and from where it goes on
	}{
		{0, 0, 0},
		{5, 0, 0},
		{receiveBlock, 0, 0},
		{len(content), 0, 0}, // flushed on the way
		{3 * receiveBlock, 2 * receiveBlock, 2 * receiveBlock},
		{3*receiveBlock + 1, 2*receiveBlock + 77, receiveBlock}, // goes on before its end
		{receiveBlock, receiveBlock, receiveBlock},              // nothing is left
		{receiveBlock, 2 * receiveBlock, receiveBlock},          // was too long
		{1, 0, 0},
	} {
		file := Incoming{Name: fmt.Sprintf(".tmp-x-%d", i), Offset: int64(test.from), Size: int64(test.size), Program: i%2 == 0}
		if test.there > 0 {
			before := append(bytes.Clone(content[:test.from]), make([]byte, test.there-test.from)...)
			if err := os.WriteFile(filepath.Join(dir, file.Name), before, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		in.WriteString(file.Line())
		in.Write(content[test.from:test.size])
		want[file.Name] = fmt.Sprintf("%x %v", sha256.Sum256(content[:test.size]), file.Mode())
	}
	var out bytes.Buffer
	if err := Receive(dir, &in, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, arrived(t, dir, out.String())); diff != "" {
		t.Error(diff)
	}
}

// arrived gives the digests that were printed, which must be those of the files, and modes.
func arrived(t testing.TB, dir, out string) map[string]string {
	t.Helper()
	got := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if lines[0] != ReceiveGreeting {
		t.Errorf("it greets with %q", lines[0])
	}
	for _, line := range lines[1:] {
		sum, name, _ := strings.Cut(line, "  ")
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(content)) != sum {
			t.Errorf("printed %q of a file of %d bytes, %v", line, len(content), err)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = fmt.Sprintf("%s %v", sum, info.Mode())
	}
	return got
}

// What it refuses is not written, and what is there stays.
func TestReceiveRefuses(t *testing.T) {
	dir := t.TempDir()
	const there, link, pipe, blob = ".tmp-there", ".tmp-link", ".tmp-pipe", "0123"
	for _, name := range []string{there, blob} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Symlink(blob, filepath.Join(dir, link)), syscall.Mkfifo(filepath.Join(dir, pipe), 0o600),
		os.Mkdir(filepath.Join(dir, ".tmp-dir"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	for _, test := range []struct {
		in   string
		want error // nil: any
	}{
		{"0 3 600 " + there + "\nnew", fs.ErrExist},
		{"0 3 600 " + link + "\nnew", fs.ErrExist},
		{"2 3 600 " + link + "\nw", syscall.ELOOP},
		{"2 3 600 " + pipe + "\nw", nil},
		{"2 3 600 .tmp-dir\nw", syscall.EISDIR},
		{"5 6 600 " + there + "\nw", io.EOF}, // it has 4 bytes
		{"4 6 600 .tmp-none\nnw", fs.ErrNotExist},
		{"2 3 600 " + blob + "\nw", nil},
		{"0 3 600 ../.tmp-out\nnew", nil},
		{"0 3 600 .tmp-a/b\nnew", nil},
		{"0 3 600 .tmp-/../../x\nnew", nil},
		{"0 3 600 /etc/.tmp-x\nnew", nil},
		{"0 3 600 .tmp-\nnew", nil},
		{"0 3 600 .tmp-\x00\nnew", nil},
		{"0 3 600 .tmp-" + strings.Repeat("x", 201) + "\nnew", nil},
		{"0 3 600 .tmp-a b\nnew", nil},
		{"0 3 4755 .tmp-a\nnew", nil},
		{"0 3 644 .tmp-a\nnew", nil},
		{"-1 3 600 .tmp-a\nnew", nil},
		{"4 3 600 .tmp-a\nnew", nil},
		{"x 3 600 .tmp-a\nnew", nil},
		{"0 99999999999999999999 600 .tmp-a\nnew", nil},
		{"\n", nil},
		{"0 3 600", io.ErrUnexpectedEOF},
		{strings.Repeat("x", 1<<20), nil},
	} {
		var out bytes.Buffer
		err := Receive(dir, strings.NewReader(test.in), &out)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || out.String() != ReceiveGreeting+"\n" {
			t.Errorf("%.80q: %v, printed %q", test.in, err, out.String())
		}
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// Who goes on in a file has it alone until it is whole. An old run that is sent the rest of it still
// cannot cut it off, nor can a new one go on in what an old one writes.
func TestReceiveHasFilesAlone(t *testing.T) {
	const name, content = ".tmp-part", "the whole of it"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content[:8]), 0o600); err != nil {
		t.Fatal(err)
	}
	rest := Incoming{Name: name, Offset: 8, Size: int64(len(content))}
	in, send := io.Pipe()
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- Receive(dir, in, &out) }()
	if _, err := io.WriteString(send, rest.Line()+content[8:9]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(send, content[9:10]); err != nil { // the file is open by now
		t.Fatal(err)
	}
	rest.Offset = 3
	other := Receive(dir, strings.NewReader(rest.Line()+content[3:]), io.Discard)
	if !errors.Is(other, ErrIncomingHeld) || !strings.Contains(other.Error(), name) {
		t.Errorf("a second one: %v", other)
	}
	if _, err := io.WriteString(send, content[10:]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(send.Close(), <-ended); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{name: fmt.Sprintf("%x %v", sha256.Sum256([]byte(content)), rest.Mode())}
	if diff := cmp.Diff(want, arrived(t, dir, out.String())); diff != "" {
		t.Error(diff)
	}
	if err := Receive(dir, strings.NewReader(rest.Line()+content[3:]), io.Discard); err != nil {
		t.Errorf("a second one later: %v", err)
	}
}

// listing gives what is in a folder and the one above, with the content of files.
func listing(t testing.TB, dir string) map[string]string {
	t.Helper()
	list := map[string]string{}
	for _, at := range []string{dir, filepath.Dir(dir)} {
		entries, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			list[entry.Name()] = entry.Type().String()
			if entry.Type().IsRegular() {
				content, _ := os.ReadFile(filepath.Join(at, entry.Name()))
				list[entry.Name()] += " " + string(content)
			}
		}
	}
	return list
}

// An input that ends within a file leaves what came, tells of what is whole, and fails.
func TestReceiveOfPart(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	err := Receive(dir, strings.NewReader("0 3 600 .tmp-a\nnew0 9 600 .tmp-b\npart"), &out)
	if err == nil || !strings.Contains(err.Error(), "5 bytes before the end of .tmp-b") {
		t.Errorf("got %v", err)
	}
	if got := arrived(t, dir, out.String()); len(got) != 1 || got[".tmp-a"] == "" {
		t.Errorf("got %v", got)
	}
	if part, err := os.ReadFile(filepath.Join(dir, ".tmp-b")); err != nil || string(part) != "part" {
		t.Errorf("%q, %v", part, err)
	}
}

// Whatever comes in, only temporary files in the folder are written, and those that are told
// of have the content that is told.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("0 3 600 .tmp-a\nnew0 0 700 .tmp-b\n"))
	f.Add([]byte("2 5 600 .tmp-there\nmore"))
	f.Add([]byte("0 1 600 ../.tmp-x\ny"))
	f.Fuzz(func(t *testing.T, in []byte) {
		above := t.TempDir()
		dir := filepath.Join(above, "blobs")
		err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "0123"), []byte("kept"), 0o600),
			os.WriteFile(filepath.Join(dir, ".tmp-there"), []byte("part"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_ = Receive(dir, bytes.NewReader(in), &out)
		arrived(t, dir, out.String())
		list := listing(t, dir)
		maps.DeleteFunc(list, func(name, _ string) bool { return incomingName.MatchString(name) })
		if diff := cmp.Diff(map[string]string{"blobs": "d---------", "0123": "---------- kept"}, list); diff != "" {
			t.Error(diff)
		}
	})
}

// What sha256sum prints, but for files that cannot be read.
func TestSum(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a b")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Sum(&out, []string{filepath.Join(dir, "none"), file, dir}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte("content")), file); out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
