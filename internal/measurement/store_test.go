package measurement

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadWithoutAFile(t *testing.T) {
	m, err := Read(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Measurements{FormatVersion: 1, Nodes: []Node{}, Links: []Link{}, Profiles: []Profile{}}, m); diff != "" {
		t.Error(diff)
	}
}

func TestWriteIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, some()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(some(), got); diff != "" {
		t.Error(diff)
	}
}

// What is not to be read is refused at once: a pipe would block for ever.
func TestReadRefusesWhatIsNoFile(t *testing.T) {
	for name, test := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a folder":         {func(p string) error { return os.Mkdir(p, 0o700) }, "is a folder"},
		"a pipe":           {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "is not a regular file"},
		"a link to itself": {func(p string) error { return os.Symlink(FileName, p) }, "too many levels"},
		"too large":        {func(p string) error { return sparse(p, maxFileBytes+1) }, "are the most that is read"},
	} {
		dir := t.TempDir()
		if err := test.make(filepath.Join(dir, FileName)); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

func sparse(path string, size int64) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, size)
}

// A write that fails leaves what was there, and nothing beside it.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, some()); err != nil {
		t.Fatal(err)
	}
	bad := some()
	bad.Nodes[0].ComputeFLOPPerSecond = math.NaN()
	bad.Links[1].To = bad.Links[1].From
	bad.Profiles[1] = bad.Profiles[0]
	err := Write(dir, bad)
	for _, want := range []string{
		"measurements.edgeplan.json: nodes[0].compute_flop_per_second: is no number",
		"measurements.edgeplan.json: links[1].to: is the node that it is from",
		"measurements.edgeplan.json: profiles[1]: measures the same as an entry before",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if got, err := Read(dir); err != nil || !cmp.Equal(some(), got) {
		t.Errorf("the file is no longer what it was: %v", err)
	}
	blocked := t.TempDir()
	if err := os.Mkdir(filepath.Join(blocked, FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(blocked, some()); err == nil {
		t.Error("a folder was written over")
	}
	if entries, _ := os.ReadDir(blocked); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestWriteKeepsPermissionsLinksAndTheUnchanged(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "m.json")
	if err := os.WriteFile(target, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, some()); err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(target)
	if err != nil || first.Mode().Perm() != 0o640 {
		t.Fatalf("got %v, %v", first, err)
	}
	if link, err := os.Lstat(filepath.Join(dir, FileName)); err != nil || link.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the symbolic link is gone: %v", err)
	}
	if err := Write(dir, some()); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.Stat(target); !os.SameFile(first, again) {
		t.Error("the same measurements were written anew")
	}
}

func TestMerge(t *testing.T) {
	older := some()
	newer := &Measurements{Nodes: []Node{someNode(`node.pi["hall"]`), someNode("node.roof")}}
	newer.Nodes[0].ComputeFLOPPerSecond, newer.Nodes[0].MemoryBytes, newer.Nodes[0].ClockOffsetSeconds = 0, 7<<20, 0
	got := Merge(older, newer)
	want := some()
	want.Nodes[1].MemoryBytes, want.Nodes[1].ClockOffsetSeconds = 7<<20, 0 // compute stays: no model was measured
	want.Nodes = append(want.Nodes, someNode("node.roof"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(some(), older); diff != "" {
		t.Errorf("the older ones were changed: %s", diff)
	}
}
