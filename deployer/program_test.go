package deployer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// programs is a release folder with a worker program and the same as a blob, of its digest.
type programs struct{ dir, release, blob, digest string }

func newPrograms(t *testing.T) programs {
	t.Helper()
	content := noise(1, 5000)
	sum := sha256.Sum256(content)
	p := programs{dir: t.TempDir(), digest: hex.EncodeToString(sum[:])}
	p.release, p.blob = filepath.Join(p.dir, "edgeplan-worker"), filepath.Join(p.dir, p.digest)
	p.check(t, os.WriteFile(p.release, content, 0o700))
	p.check(t, os.WriteFile(p.blob, content, 0o700))
	p.lists(t, p.digest)
	return p
}

func (p programs) check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lists makes the release say that its program has a digest.
func (p programs) lists(t *testing.T, digest string) {
	t.Helper()
	p.check(t, os.WriteFile(filepath.Join(p.dir, sumsFile), []byte(digest+"  edgeplan-worker\n"), 0o600))
}

// damage changes a file, which then has a time.
func (p programs) damage(t *testing.T, file string, at time.Time) {
	t.Helper()
	p.check(t, os.WriteFile(file, noise(2, 5000), 0o700))
	p.check(t, os.Chtimes(file, at, at))
}

// The program that runs is one whose time or digest is right. Where the time is, nothing is hashed,
// which shows in that damage without a trace is not seen.
func TestUsableProgram(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edit func(*testing.T, programs)
		want func(programs) string
	}{
		"whole, of any time": {func(*testing.T, programs) {}, func(p programs) string { return p.release }},
		"of its own time":    {func(t *testing.T, p programs) { p.damage(t, p.release, blobTime(p.digest)) }, func(p programs) string { return p.release }},
		"damaged":            {func(t *testing.T, p programs) { p.damage(t, p.release, time.Now()) }, func(p programs) string { return p.blob }},
		"empty, of its own time": {func(t *testing.T, p programs) {
			at := blobTime(p.digest)
			p.check(t, errors.Join(os.Truncate(p.release, 0), os.Chtimes(p.release, at, at)))
		}, func(p programs) string { return p.blob }},
		"both damaged": {func(t *testing.T, p programs) {
			p.damage(t, p.release, blobTime(p.digest).Add(time.Second))
			p.damage(t, p.blob, blobTime(p.digest).Add(-time.Second))
		}, func(programs) string { return "" }},
		"of no digest":       {func(t *testing.T, p programs) { p.lists(t, "a[$(touch ran)]") }, func(p programs) string { return p.blob }},
		"of a short digest":  {func(t *testing.T, p programs) { p.lists(t, "0") }, func(p programs) string { return p.blob }},
		"of no digest known": {func(t *testing.T, p programs) { p.lists(t, "") }, func(p programs) string { return p.blob }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPrograms(t)
			test.edit(t, p)
			command := exec.Command("sh", "-c", programFunction+`usable_program "$1" "$2"`, "find a program", p.dir, p.blob)
			command.Dir = p.dir
			out, err := command.Output()
			if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			if want := test.want(p); string(out) != want || (err == nil) != (want != "") {
				t.Errorf("it is %q, %v; want %q", out, err, want)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "ran")); err == nil {
				t.Error("the list of digests was run")
			}
		})
	}
}
