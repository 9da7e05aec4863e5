package ort_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/ort"
)

func TestOpenTwice(t *testing.T) {
	first, second := open(t), open(t)
	if !regexp.MustCompile(`^1\.\d+\.\d+`).MatchString(first.Version()) {
		t.Errorf("version %q", first.Version())
	}
	if first.Version() != second.Version() {
		t.Errorf("versions %q and %q", first.Version(), second.Version())
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the files here are Linux's")
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	library, err := os.ReadFile(enginetest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ path, want string }{
		"missing":              {filepath.Join(dir, "none.so"), "no such file"},
		"folder":               {dir, "no regular file"},
		"text":                 {write("text.so", []byte("hello")), "no library for Linux"},
		"other processor":      {write("machine.so", otherMachine(library[:4096])), "EM_S390"},
		"cut off":              {write("cut.so", library[:8192]), "cut.so"},
		"not ONNX Runtime":     {cLibrary(t), "not ONNX Runtime"},
		"a zero byte the path": {"a\x00b", "invalid argument"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ort.Open(test.path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
				t.Errorf("error %v, want it to name the file and %q", err, test.want)
			}
		})
	}
	if _, err := ort.Open(filepath.Join(dir, "none.so")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// otherMachine makes a library's first bytes say that it is for s390, and without
// sections.
func otherMachine(start []byte) []byte {
	data := bytes.Clone(start)
	binary.LittleEndian.PutUint16(data[18:], uint16(elf.EM_S390))
	clear(data[40:48]) // e_shoff
	clear(data[56:64]) // e_phnum, e_shentsize, e_shnum, e_shstrndx
	return data
}

// cLibrary is some library that is there for sure: the C library in this process.
func cLibrary(t *testing.T) string {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`/\S*libc[.-]\S*`).Find(maps)
	if path == nil {
		t.Fatal("this process has no C library")
	}
	return string(path)
}

func TestParseLevel(t *testing.T) {
	for _, level := range []ort.Level{ort.Disabled, ort.Basic, ort.Extended, ort.All} {
		if got, err := ort.ParseLevel(string(level)); got != level || err != nil {
			t.Errorf("%s: %q, %v", level, got, err)
		}
	}
	for _, name := range []string{"", "Basic", "99", "none"} {
		if _, err := ort.ParseLevel(name); err == nil || !strings.Contains(err.Error(), "disabled, basic, extended or all") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}
