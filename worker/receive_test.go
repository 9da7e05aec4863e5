package worker

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func TestReceive(t *testing.T) {
	content := make([]byte, 70<<20+123)
	rand.NewChaCha8([32]byte{1}).Read(content)
	for _, test := range []struct {
		name        string
		size        int
		there, from int // bytes of the file before, and from where it goes on
	}{
		{"empty", 0, 0, 0},
		{"small", 5, 0, 0},
		{"a block", receiveBlock, 0, 0},
		{"flushed on the way", len(content), 0, 0},
		{"continued", 3 * receiveBlock, 2 * receiveBlock, 2 * receiveBlock},
		{"continued before its end", 3*receiveBlock + 1, 2*receiveBlock + 77, receiveBlock},
		{"nothing is left", receiveBlock, receiveBlock, receiveBlock},
		{"too long", receiveBlock, 2 * receiveBlock, receiveBlock},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, want := filepath.Join(t.TempDir(), "f"), content[:test.size]
			if test.there > 0 {
				before := append(bytes.Clone(content[:test.from]), make([]byte, test.there-test.from)...)
				if err := os.WriteFile(file, before, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			if err := Receive(file, fmt.Sprint(test.from), bytes.NewReader(want[test.from:]), &out); err != nil {
				t.Fatal(err)
			}
			if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(want), file); out.String() != line {
				t.Errorf("printed %q, want %q", out.String(), line)
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d; %v", len(got), len(want), err)
			}
		})
	}
}

func TestReceiveRefuses(t *testing.T) {
	dir := t.TempDir()
	there, link := filepath.Join(dir, "there"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(there, []byte("kept"), 0o600), os.Symlink(there, link)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, offset string
		want         error // nil: any
	}{
		{there, "0", fs.ErrExist},
		{link, "2", nil},
		{there, "5", nil},
		{there, "-1", nil},
		{there, "x", nil},
		{filepath.Join(dir, "none"), "4", fs.ErrNotExist},
		{filepath.Join(dir, "no", "folder"), "0", fs.ErrNotExist},
	} {
		var out bytes.Buffer
		err := Receive(test.name, test.offset, bytes.NewReader([]byte("new")), &out)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || out.Len() > 0 {
			t.Errorf("%s at %s: %v, printed %q", test.name, test.offset, err, out.String())
		}
	}
	if got, err := os.ReadFile(there); err != nil || string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
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
