package artifact

import (
	"archive/zip"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A worker is cross-built for every platform without cgo.
func TestWorkerIsBuiltFromSource(t *testing.T) {
	b := newBench(t)
	for _, platform := range Architectures() {
		a, err := Worker(t.Context(), platform, t.TempDir(), b.options)
		if err != nil {
			t.Fatal(err)
		}
		built, err := inspect(a.Path)
		if err != nil || built.platform != platform || built.library {
			t.Errorf("%s: built %+v, error %v", platform, built, err)
		}
		if a.Source != "built from source" || a.Kind != KindWorker || a.Platform != platform || a.Size == 0 {
			t.Errorf("got %+v", a)
		}
	}
}

// The same source gives the same bytes, wherever it lies.
func TestWorkerBuildIsReproducible(t *testing.T) {
	first, second := newBench(t), newBench(t)
	one, err := Worker(t.Context(), "linux/amd64", t.TempDir(), first.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-tags=other")
	t.Setenv("GOAMD64", "v3")
	two, err := Worker(t.Context(), "linux/amd64", t.TempDir(), second.options)
	if err != nil {
		t.Fatal(err)
	}
	if one.Digest != two.Digest {
		t.Errorf("two builds gave %s and %s", one.Digest, two.Digest)
	}
}

func TestWorkerBesideTheExecutable(t *testing.T) {
	b := newBench(t)
	b.removeTool(t, "go")
	beside := filepath.Join(b.bin, "edgeplan-worker_linux_arm64")
	content := fakeELF(t, elf.EM_AARCH64, elf.ET_EXEC, "released")
	put(t, beside, content, 0o755)
	a, err := Worker(t.Context(), "linux/arm64", t.TempDir(), b.options)
	if err != nil || a.Digest != digestOf(content) || a.Source != "beside the executable" {
		t.Errorf("got %+v, error %v", a, err)
	}
	put(t, beside, fakeELF(t, elf.EM_X86_64, elf.ET_EXEC, "mixed up"), 0o755)
	if _, err := Worker(t.Context(), "linux/arm64", t.TempDir(), b.options); err == nil || !strings.Contains(err.Error(), "is built for linux/amd64") {
		t.Errorf("got %v", err)
	}
}

func TestNoWorker(t *testing.T) {
	tests := []struct {
		name, platform string
		change         func(*bench, *testing.T)
		text           string
	}{
		{"no toolchain", "linux/arm64", func(b *bench, t *testing.T) { b.removeTool(t, "go") },
			"worker linux/arm64: no worker and no source: it would be built from source, and the Go toolchain is not installed"},
		{"no source", "linux/arm64", func(b *bench, _ *testing.T) { b.options.sources = []string{t.TempDir()} },
			"edgeplan-worker_linux_arm64 is not beside the executable"},
		{"another module", "linux/arm64", func(b *bench, t *testing.T) {
			put(t, filepath.Join(b.source, "go.mod"), []byte("module example.com/edgeplan\n"), 0o644)
		}, "the source of this program is not found"},
		{"does not compile", "linux/arm64", func(b *bench, t *testing.T) { b.writeSource(t, `"+x+"`) }, "undefined: x"},
		{"no device", "darwin/arm64", func(*bench, *testing.T) {}, "a device is one of linux/amd64, linux/arm, linux/arm64"},
		{"no platform", "../arm64", func(*bench, *testing.T) {}, "is no platform"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			test.change(b, t)
			_, err := Worker(t.Context(), test.platform, t.TempDir(), b.options)
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %q", err, test.text)
			}
		})
	}
}

// A program installed by `go install …@v0.1.0` has no checkout: the worker is
// built from the module of the same version.
func TestWorkerOfAReleasedModule(t *testing.T) {
	b := newBench(t)
	proxy, cache := t.TempDir(), t.TempDir()
	b.publish(t, proxy, "v0.1.0")
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOMODCACHE", cache)
	t.Cleanup(func() { // the module cache is read-only
		if output, err := exec.Command(filepath.Join(b.bin, "go"), "clean", "-modcache").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, output)
		}
	})
	b.options.sources, b.options.module = []string{cache}, "v0.1.0"
	dir := t.TempDir()
	a, err := Worker(t.Context(), "linux/arm64", dir, b.options)
	if err != nil {
		t.Fatal(err)
	}
	if built, err := inspect(a.Path); err != nil || built.platform != "linux/arm64" {
		t.Errorf("built %+v, error %v", built, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// publish lays the stub source out as a module proxy serves it.
func (b *bench) publish(t *testing.T, proxy, release string) {
	t.Helper()
	dir := filepath.Join(proxy, modulePath, "@v")
	mod, err := os.ReadFile(filepath.Join(b.source, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "list"), []byte(release+"\n"), 0o644)
	put(t, filepath.Join(dir, release+".info"), []byte(`{"Version":"`+release+`"}`), 0o644)
	put(t, filepath.Join(dir, release+".mod"), mod, 0o644)
	f, err := os.Create(filepath.Join(dir, release+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	files := zip.NewWriter(f)
	for _, name := range []string{"go.mod", workerPackage + "/main.go"} {
		content, err := os.ReadFile(filepath.Join(b.source, name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := files.Create(modulePath + "@" + release + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestModuleVersion(t *testing.T) {
	for stamped, want := range map[string]bool{
		"v0.1.0": true, "v0.0.0-20260101120000-0123456789ab": true,
		"": false, "(devel)": false, "v0.1.1-0.20260101120000-0123456789ab+dirty": false,
	} {
		if _, got := moduleVersion(stamped); got != want {
			t.Errorf("%q: got %v, want %v", stamped, got, want)
		}
	}
}

// The source of this very program is found at or above the folders it looks in,
// and nothing is found where there is none.
func TestFindSource(t *testing.T) {
	want, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if root, ok := findSource(sourceFolders("")); !ok || root != want {
		t.Errorf("found %q, want %s", root, want)
	}
	if root, ok := findSource([]string{t.TempDir()}); ok {
		t.Errorf("found %s above an empty folder", root)
	}
}
