package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncodePins(t *testing.T) {
	p := pins{
		{KindWorker, "linux/arm64", "0.1.0", strings.Repeat("a", 64)},
		{KindEngine, "linux/arm64", "1.24.3", strings.Repeat("b", 64)},
		{KindEngine, "linux/amd64", "1.24.3", strings.Repeat("c", 64)},
	}
	want, err := os.ReadFile(filepath.Join("testdata", "lock.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(encodePins(p))); diff != "" {
		t.Errorf("testdata/lock.hcl (-want +got):\n%s", diff)
	}
}

func TestParsePinsSaysWhatIsWrong(t *testing.T) {
	digest := strings.Repeat("a", 64)
	block := func(head, digest string) string {
		return head + " {\n  version = \"1\"\n  sha256 = \"" + digest + "\"\n}\n"
	}
	tests := []struct{ name, content, text string }{
		{"no HCL", "engine linux {", "lock.hcl:1,"},
		{"conflict markers", "<<<<<<< HEAD\n", "lock.hcl:1,1"},
		{"unknown block", block(`driver "linux/arm64"`, digest), `lock.hcl:1,1-7: Unsupported block type`},
		{"no label", block(`engine`, digest), "Missing platform for engine"},
		{"no platform", block(`engine "../../etc"`, digest), `lock.hcl:1,1-19: No platform; "../../etc" is no platform`},
		{"no digest", block(`worker "linux/arm64"`, "abc"), "lock.hcl:1,1-21: No digest; sha256 is not 64 hexadecimal digits"},
		{"digest missing", "engine \"linux/arm64\" {\n version = \"1\"\n}\n", "Missing required argument"},
		{"a function", "engine \"linux/arm64\" {\n version = file(\"x\")\n sha256 = \"" + digest + "\"\n}\n", "lock.hcl:2,"},
		{"twice", block(`engine "linux/arm64"`, digest) + block(`engine "linux/arm64"`, digest), "lock.hcl:5,1-21: Pinned twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parsePins("lock.hcl", []byte(test.content))
			if err == nil || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "restore the file") {
				t.Errorf("got %v, want %q", err, test.text)
			}
		})
	}
}

// A broken lock file stops both init and the rest; neither overwrites it.
func TestBrokenLockFileStops(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, LockFile)
	put(t, path, []byte("<<<<<<< HEAD\n"), 0o644)
	_, openErr := open(b.dir, b.options)
	_, _, collectErr := Collect(t.Context(), b.dir, []string{"linux/arm64"}, b.options)
	for _, err := range []error{openErr, collectErr} {
		if err == nil || errors.Is(err, ErrNotInitialized) || !strings.Contains(err.Error(), path+":1,1") {
			t.Errorf("got %v", err)
		}
	}
	if b.lock(t) != "<<<<<<< HEAD\n" {
		t.Error("the lock file was overwritten")
	}
}

// What is written is what is read, in order.
func TestPinsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pins
		for _, platform := range rapid.SliceOfDistinct(rapid.StringMatching(`[a-z]{2,6}/[a-z0-9]{2,6}`), rapid.ID).Draw(t, "platforms") {
			p = p.with(pin{rapid.SampledFrom([]Kind{KindEngine, KindWorker}).Draw(t, "kind"), platform,
				rapid.String().Draw(t, "version"), rapid.StringMatching(`[0-9a-f]{64}`).Draw(t, "digest")})
		}
		got, err := parsePins("lock.hcl", encodePins(p))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range p {
			if found, ok := got.find(want.Kind, want.Platform); !ok || found.Digest != want.Digest {
				t.Fatalf("wrote %+v, read %+v", want, found)
			}
		}
		if len(got) != len(p) {
			t.Fatalf("wrote %d, read %d", len(p), len(got))
		}
	})
}

// Whatever the reader accepts is safe as a path and can be written and read again.
func FuzzParsePins(f *testing.F) {
	f.Add([]byte(lockHeader))
	f.Add(encodePins(pins{{KindWorker, "linux/arm64", "0.1.0", strings.Repeat("a", 64)}}))
	f.Add([]byte("engine \"linux/arm64\" {\n version = \"${1}\"\n sha256 = <<A\nA\n}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := parsePins("lock.hcl", content)
		if err != nil {
			return
		}
		for _, entry := range p {
			if !filepath.IsLocal(folder(entry.Platform)) || strings.Contains(folder(entry.Platform), "/") {
				t.Fatalf("the platform %q leads elsewhere", entry.Platform)
			}
		}
		again, err := parsePins("lock.hcl", encodePins(p))
		if err != nil || len(again) != len(p) {
			t.Fatalf("written and cannot be read: %v", err)
		}
	})
}
