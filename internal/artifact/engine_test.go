package artifact

import (
	"archive/tar"
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/enginetest"
)

// The engine comes from the first of: configuration, environment, cache, npm.
func TestEngineOrder(t *testing.T) {
	b := newBench(t)
	own := filepath.Join(t.TempDir(), "own.so")
	put(t, own, fakeELF(t, elf.EM_X86_64, elf.ET_DYN, "own"), 0o644)
	set := filepath.Join(t.TempDir(), "engines")
	put(t, filepath.Join(set, "linux_amd64", "libonnxruntime.so.1"), fakeELF(t, elf.EM_X86_64, elf.ET_DYN, "set"), 0o644)

	steps := []struct {
		name, platform, source string
		change                 func(*Options)
		runs                   int // of npm until then
	}{
		{"npm fills the cache", "linux/arm64", "npm", func(*Options) {}, 1},
		{"for all platforms at once", "darwin/arm64", "the user's cache", func(*Options) {}, 1},
		{"for the operator too", "linux/amd64", "the user's cache", func(*Options) {}, 1},
		{"a folder in the environment", "linux/amd64", EngineVariable, func(o *Options) { o.Environment = set }, 1},
		{"without the platform", "linux/arm64", "the user's cache", func(o *Options) { o.Environment = set }, 1},
		{"a file in the environment", "linux/amd64", EngineVariable, func(o *Options) { o.Environment = own }, 1},
		{"is not for other platforms", "linux/arm64", "the user's cache", func(o *Options) { o.Environment = own }, 1},
		{"the configuration", "linux/amd64", "the configuration", func(o *Options) {
			o.Environment, o.ConfiguredPaths = set, map[string]string{"linux/amd64": own}
		}, 1},
	}
	for _, step := range steps {
		o := b.options
		step.change(&o)
		a, err := Engine(t.Context(), step.platform, o)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if a.Source != step.source || a.Platform != step.platform || a.Kind != KindEngine {
			t.Errorf("%s: got %+v, want the source %q", step.name, a, step.source)
		}
		if b.npmRuns() != step.runs {
			t.Errorf("%s: npm ran %d times, want %d", step.name, b.npmRuns(), step.runs)
		}
	}
	content, err := os.ReadFile(filepath.Join(b.cache, "edgeplan/onnxruntime/1.24.3/linux_arm64/libonnxruntime.so.1"))
	if err != nil || string(content) != string(b.libraries["linux/arm64"]) {
		t.Errorf("the cache holds %d bytes, error %v", len(content), err)
	}
	entries, err := os.ReadDir(filepath.Join(b.cache, "edgeplan/onnxruntime/1.24.3"))
	if err != nil || len(entries) != 3 {
		t.Errorf("the cache holds %v besides the platforms (error %v)", entries, err)
	}
}

func TestOwnEngineIsChecked(t *testing.T) {
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		put(t, path, content, 0o644)
		return path
	}
	tests := []struct{ name, path, text string }{
		{"another machine", file("arm64.so", fakeELF(t, elf.EM_AARCH64, elf.ET_DYN, "")), "is built for linux/arm64; name a library for linux/amd64"},
		{"another system", file("mac.dylib", fakeMachO(t, "")), "is built for darwin/arm64"},
		{"an unknown machine", file("s390.so", fakeELF(t, elf.EM_S390, elf.ET_DYN, "")), "is built for linux/EM_S390"},
		{"a program", program, "is a program, not a shared library"},
		{"a text", file("text.so", []byte("INPUT(libonnxruntime.so.1)")), "neither an ELF nor a 64-bit Mach-O file"},
		{"cut off", file("cut.so", fakeELF(t, elf.EM_X86_64, elf.ET_DYN, "")[:20]), "is no library"},
		{"empty", file("empty.so", nil), "too short"},
		{"missing", filepath.Join(dir, "missing.so"), "no such file"},
		{"a folder", dir, "is a directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Options{ConfiguredPaths: map[string]string{"linux/amd64": test.path}, Host: "linux/amd64"}
			_, err := Engine(t.Context(), "linux/amd64", o)
			if err == nil || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "engine linux/amd64 from the configuration") {
				t.Errorf("got %v, want %q", err, test.text)
			}
		})
	}
}

// The library that tests run with is one for this machine, of the known version.
func TestInspectRealEngine(t *testing.T) {
	got, err := inspect(enginetest.Library(t))
	want := objectFile{platform: FromEnvironment().Host, library: true, version: EngineVersion}
	if err != nil || got != want {
		t.Errorf("got %+v, error %v; want %+v", got, err, want)
	}
}

func TestInspectMachO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib.dylib")
	put(t, path, fakeMachO(t, ""), 0o644)
	got, err := inspect(path)
	if want := (objectFile{"darwin/arm64", true, "1.24.3"}); err != nil || got != want {
		t.Errorf("got %+v, error %v; want %+v", got, err, want)
	}
}

func TestNoEngineForThirtyTwoBitArm(t *testing.T) {
	b := newBench(t)
	_, err := Engine(t.Context(), "linux/arm", b.options)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "has it for darwin/arm64, linux/amd64, linux/arm64") {
		t.Errorf("got %v", err)
	}
	// A library that someone built for it is used all the same.
	path := filepath.Join(t.TempDir(), "lib.so")
	arm := fakeELF(t, elf.EM_ARM, elf.ET_DYN, "")
	put(t, path, arm, 0o644)
	o := b.options
	o.ConfiguredPaths = map[string]string{"linux/arm": path}
	if a, err := Engine(t.Context(), "linux/arm", o); err != nil || a.Digest != digestOf(arm) {
		t.Errorf("got %+v, error %v", a, err)
	}
}

// Offline, a filled cache is enough, and an empty one is told apart from a
// damaged one.
func TestEngineOffline(t *testing.T) {
	b := newBench(t)
	o := b.options
	o.Offline = true
	_, err := Engine(t.Context(), "linux/arm64", o)
	wantAdvice(t, err, "this run is to stay offline")

	if _, err := Engine(t.Context(), "linux/arm64", b.options); err != nil {
		t.Fatal(err)
	}
	b.removeTool(t, "npm")
	a, err := Engine(t.Context(), "linux/arm64", o)
	if err != nil || a.Source != "the user's cache" {
		t.Fatalf("got %+v, error %v", a, err)
	}
	put(t, a.Path, []byte("half"), 0o644)
	_, err = Engine(t.Context(), "linux/arm64", b.options)
	wantAdvice(t, err, "npm, which would fetch it, is not installed")
}

// A damaged file in the cache is fetched again.
func TestDamagedCacheIsReplaced(t *testing.T) {
	b := newBench(t)
	a, err := Engine(t.Context(), "linux/arm64", b.options)
	if err != nil {
		t.Fatal(err)
	}
	put(t, a.Path, []byte("half"), 0o644)
	var told []string
	o := b.options
	o.Progress = func(message string) { told = append(told, message) }
	if again, err := Engine(t.Context(), "linux/arm64", o); err != nil || again.Digest != a.Digest {
		t.Fatalf("got %+v, error %v", again, err)
	}
	if len(told) != 2 || !strings.Contains(told[0], "in the cache is damaged") || !strings.Contains(told[1], "npm pack onnxruntime-node@1.24.3") {
		t.Errorf("told %q", told)
	}
}

// wantAdvice checks that an error has a cause and the three ways out.
func wantAdvice(t *testing.T, err error, cause string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", cause)
	}
	for _, part := range []string{cause, "engine linux/arm64: no ONNX Runtime 1.24.3", `edgeplan { engines = { "linux/arm64" = "path/to/libonnxruntime.so.1" } }`,
		EngineVariable + " to a folder that holds linux_arm64/libonnxruntime.so.1", "/linux_arm64/libonnxruntime.so.1;", "run `edgeplan init` where npm is installed"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestNpmFailures(t *testing.T) {
	tests := []struct{ name, script, cause string }{
		{"no network", "echo 'npm error code ENOTFOUND' >&2; exit 1", "npm error code ENOTFOUND"},
		{"no archive", "exit 0", "left 0 archives"},
		{"two archives", `echo > "$5/a.tgz"; echo > "$5/b.tgz"`, "left 2 archives"},
		{"no gzip", `echo hello > "$5/a.tgz"`, "it is no gzip file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.npmScript(t, test.script)
			_, err := Engine(t.Context(), "linux/arm64", b.options)
			wantAdvice(t, err, test.cause)
			b.wantEmptyCache(t)
		})
	}
}

func TestNpmEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	b.npmScript(t, "while :; do :; done")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Engine(ctx, "linux/arm64", b.options)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func (b *bench) wantEmptyCache(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.cache, "edgeplan/onnxruntime/1.24.3"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left in the cache: %v (error %v)", entries, err)
	}
}

// Nothing of a wrong archive reaches the cache, and no file outside it.
func TestArchivesThatAreRefused(t *testing.T) {
	b := newBench(t)
	good := b.packageArchive(t)
	arm64 := entry{name: "package/bin/napi-v6/linux/arm64/libonnxruntime.so.1", content: b.libraries["linux/arm64"]}
	changed, link := arm64, arm64
	changed.content = append([]byte{}, arm64.content...)
	changed.content[40] ^= 1
	link.kind, link.content = tar.TypeSymlink, []byte("/etc/passwd")
	tests := []struct {
		name    string
		content []byte
		cause   string
	}{
		{"cut off", good[:len(good)-20], "unexpected EOF"},
		{"a flipped byte", flip(good, len(good)/2), ""},
		{"a changed library", archive(t, changed), "and the known one is " + digestOf(arm64.content)},
		{"a library missing", archive(t, arm64), "it holds no bin/napi-v*/darwin/arm64/libonnxruntime.1.24.3.dylib"},
		{"path traversal", archive(t, entry{name: "package/../../../evil", content: []byte("x")}), `"package/../../../evil", which leaves the archive`},
		{"an absolute path", archive(t, entry{name: "/tmp/evil", content: []byte("x")}), "which leaves the archive"},
		{"a link for a library", archive(t, link), "is no regular file"},
		{"nothing", archive(t), "it holds no bin"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.installNpm(t, test.content)
			_, err := Engine(t.Context(), "linux/arm64", b.options)
			wantAdvice(t, err, test.cause)
			b.wantEmptyCache(t)
		})
	}
}

func flip(content []byte, at int) []byte {
	content = append([]byte{}, content...)
	content[at] ^= 0xff
	return content
}

func TestEngineVariableThatNamesNothing(t *testing.T) {
	b := newBench(t)
	b.options.Environment = filepath.Join(b.dir, "missing")
	_, err := Engine(t.Context(), "linux/amd64", b.options)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), EngineVariable) {
		t.Errorf("got %v", err)
	}
}
