package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/version"
)

// status gives what Collect did as "engine linux/arm64 added".
func status(actions []Action) []string {
	var lines []string
	for _, action := range actions {
		lines = append(lines, string(action.Artifact.Kind)+" "+action.Artifact.Platform+" "+string(action.Status))
	}
	return lines
}

func wantStatus(t *testing.T, actions []Action, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, status(actions)); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestCollect(t *testing.T) {
	b := newBench(t)
	set, actions := b.collect(t, "linux/arm64", "linux/arm", "linux/arm64")
	wantStatus(t, actions, "engine linux/amd64 added", "engine linux/arm unavailable", "engine linux/arm64 added",
		"worker linux/arm added", "worker linux/arm64 added")
	if reason := actions[1].Reason; !errors.Is(reason, ErrUnavailable) {
		t.Errorf("the reason is %v", reason)
	}
	worker := worker(t, set, "linux/arm64")
	if want := filepath.Join(b.dir, ".edgeplan/workers/linux_arm64/edgeplan-worker"); worker.Path != want {
		t.Errorf("the worker is at %s, want %s", worker.Path, want)
	}
	if info, err := os.Stat(worker.Path); err != nil || info.Mode().Perm() != 0o755 || info.Size() != worker.Size {
		t.Errorf("mode %v, size %d of %d, error %v", info.Mode(), info.Size(), worker.Size, err)
	}
	engine, err := set.OperatorEngine()
	if want := filepath.Join(b.dir, ".edgeplan/engines/linux_amd64/libonnxruntime.so.1"); err != nil || engine.Path != want {
		t.Errorf("the engine is at %s, want %s (error %v)", engine.Path, want, err)
	}
	if content, err := os.ReadFile(engine.Path); err != nil || string(content) != string(b.libraries["linux/amd64"]) {
		t.Errorf("the engine holds %d bytes, error %v", len(content), err)
	}
	b.wantNothingLeft(t)
}

// wantNothingLeft fails when the work folder holds anything temporary.
func (b *bench) wantNothingLeft(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(b.dir, WorkDir), func(path string, d os.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".") && d.Name() != WorkDir {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The second run changes nothing, needs no network and no npm.
func TestCollectAgainOffline(t *testing.T) {
	b := newBench(t)
	b.collect(t, "linux/arm64")
	before := b.lock(t)
	b.removeTool(t, "npm")
	o := b.options
	o.Offline = true
	_, actions, err := Collect(t.Context(), b.dir, []string{"linux/arm64"}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, actions, "engine linux/amd64 unchanged", "engine linux/arm64 unchanged", "worker linux/arm64 unchanged")
	if diff := cmp.Diff(before, b.lock(t)); diff != "" {
		t.Errorf("the lock file changed (-before +after):\n%s", diff)
	}
}

// What is collected already needs neither cache nor source nor tools.
func TestCollectAgainWithNothingElse(t *testing.T) {
	b := newBench(t)
	b.collect(t, "linux/arm64")
	for _, dir := range []string{b.cache, b.source, b.bin} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	_, actions := b.collect(t, "linux/arm64")
	wantStatus(t, actions,
		"engine linux/amd64 unchanged", "engine linux/arm64 unchanged", "worker linux/arm64 unchanged")
}

func (b *bench) lock(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.dir, LockFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// A changed worker is refused with both digests until -upgrade accepts it.
func TestCollectRefusesAnotherDigest(t *testing.T) {
	b := newBench(t)
	set, _ := b.collect(t, "linux/amd64")
	old := worker(t, set, "linux/amd64")
	lock := b.lock(t)
	b.writeSource(t, "second")
	_, _, err := Collect(t.Context(), b.dir, []string{"linux/amd64"}, b.options)
	if !errors.Is(err, ErrDigest) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"worker linux/amd64", "with sha256 " + old.Digest, "edgeplan init -upgrade", "built from source"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if set, err := open(b.dir, b.options); err != nil || b.lock(t) != lock {
		t.Errorf("changed by a refused run (error %v)", err)
	} else if kept := worker(t, set, "linux/amd64"); kept.Digest != old.Digest {
		t.Errorf("the refused worker took the place of the old")
	}
	b.wantNothingLeft(t)

	o := b.options
	o.Upgrade = true
	set, actions, err := Collect(t.Context(), b.dir, []string{"linux/amd64"}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, actions, "engine linux/amd64 unchanged", "worker linux/amd64 upgraded")
	if accepted := worker(t, set, "linux/amd64"); accepted.Digest == old.Digest || actions[1].Before != old.Digest {
		t.Errorf("accepted %s, before %s", accepted.Digest, actions[1].Before)
	}
	b.collect(t, "linux/amd64")
}

// A clone of the repository has the lock file and no work folder: what it
// collects must be what is pinned.
func TestCollectInAClone(t *testing.T) {
	b := newBench(t)
	b.collect(t, "linux/arm64")
	if err := os.RemoveAll(filepath.Join(b.dir, WorkDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := open(b.dir, b.options); !errors.Is(err, ErrNotInitialized) || !strings.Contains(err.Error(), "run `edgeplan init`") {
		t.Errorf("got %v", err)
	}
	_, actions := b.collect(t, "linux/arm64")
	wantStatus(t, actions,
		"engine linux/amd64 unchanged", "engine linux/arm64 unchanged", "worker linux/arm64 unchanged")
}

// Platforms that a configuration no longer has stay pinned.
func TestCollectKeepsOtherPins(t *testing.T) {
	b := newBench(t)
	b.collect(t, "linux/arm64", "linux/arm")
	before := b.lock(t)
	set, _ := b.collect(t, "linux/arm")
	if diff := cmp.Diff(before, b.lock(t)); diff != "" {
		t.Errorf("the lock file changed (-before +after):\n%s", diff)
	}
	worker(t, set, "linux/arm64")
}

// All problems are told at once, and nothing is written.
func TestCollectTellsAllProblems(t *testing.T) {
	b := newBench(t)
	b.removeTool(t, "npm")
	b.removeTool(t, "go")
	_, _, err := Collect(t.Context(), b.dir, []string{"linux/arm64"}, b.options)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"engine linux/amd64", "engine linux/arm64", "worker linux/arm64"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if _, err := os.Stat(filepath.Join(b.dir, LockFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock file was written: %v", err)
	}
}

// What was changed behind edgeplan's back is not put on devices; init repairs it.
func TestOpenRefusesAChangedFile(t *testing.T) {
	b := newBench(t)
	set, _ := b.collect(t, "linux/arm64")
	before := worker(t, set, "linux/arm64")
	put(t, before.Path, []byte("something else"), 0o755)
	set, err := open(b.dir, b.options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = set.Worker("linux/arm64")
	if !errors.Is(err, ErrDigest) || !strings.Contains(err.Error(), before.Digest) || !strings.Contains(err.Error(), digestOf([]byte("something else"))) {
		t.Fatalf("got %v", err)
	}
	if _, err := set.Engine("linux/arm64"); err != nil {
		t.Errorf("the engine suffers too: %v", err)
	}
	set, _ = b.collect(t, "linux/arm64")
	if after := worker(t, set, "linux/arm64"); after.Digest != before.Digest {
		t.Errorf("repaired to %s, want %s", after.Digest, before.Digest)
	}
}

func TestOpen(t *testing.T) {
	b := newBench(t)
	if _, err := open(b.dir, b.options); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("got %v", err)
	}
	b.collect(t, "linux/arm64", "linux/arm")
	set, err := open(b.dir, b.options)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		get      func(string) (Artifact, error)
		platform string
		want     error
		text     string
	}{
		{set.Worker, "linux/arm64", nil, version.Version},
		{set.Worker, "linux/arm", nil, version.Version},
		{set.Engine, "linux/arm64", nil, EngineVersion},
		{set.Engine, "linux/amd64", nil, EngineVersion},
		{set.Worker, "linux/amd64", ErrNotInitialized, "the worker for linux/amd64 is not collected; run `edgeplan init`"},
		{set.Engine, "darwin/arm64", ErrNotInitialized, "the engine for darwin/arm64 is not collected"},
		{set.Engine, "linux/arm", ErrUnavailable, "ONNX Runtime is not available for linux/arm"},
	}
	for _, test := range tests {
		a, err := test.get(test.platform)
		if test.want == nil && (err != nil || a.Version != test.text || a.Platform != test.platform || len(a.Digest) != 64) {
			t.Errorf("%s: got %+v, error %v", test.platform, a, err)
		}
		if test.want != nil && (!errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: got %v, want %q", test.platform, err, test.text)
		}
	}
}

// Workers of another version of edgeplan are not mixed with this one.
func TestOpenAfterAnUpgradeOfEdgeplan(t *testing.T) {
	b := newBench(t)
	b.collect(t, "linux/arm64")
	older := strings.ReplaceAll(b.lock(t), `"`+version.Version+`"`, `"0.0.9"`)
	put(t, filepath.Join(b.dir, LockFile), []byte(older), 0o644)
	set, err := open(b.dir, b.options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = set.Worker("linux/arm64")
	if !errors.Is(err, ErrNotInitialized) || !strings.Contains(err.Error(), "of edgeplan 0.0.9, and this is "+version.Version+"; run `edgeplan init -upgrade`") {
		t.Errorf("got %v", err)
	}
	if _, _, err := Collect(t.Context(), b.dir, []string{"linux/arm64"}, b.options); !errors.Is(err, ErrDigest) {
		t.Errorf("without -upgrade: %v", err)
	}
}

// On a Mac of Intel make there is no engine for the operator.
func TestOperatorWithoutAnEngine(t *testing.T) {
	b := newBench(t)
	b.options.Host = "darwin/amd64"
	set, _ := b.collect(t, "linux/arm64")
	if _, err := set.OperatorEngine(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	b.options.Host = "linux/amd64"
	set, err := open(b.dir, b.options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.OperatorEngine(); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("got %v", err)
	}
}
