// Package enginetest finds ONNX Runtime for tests.
package enginetest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Library is the path of the engine library for this platform: the value of
// EDGEPLAN_ONNXRUNTIME, else the per-user cache that `make engine` fills. A test
// that needs the engine must not pass without it, so its absence is a failure.
func Library(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("EDGEPLAN_ONNXRUNTIME"); path != "" {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("no user cache folder to look for ONNX Runtime in: %v", err)
	}
	name := "libonnxruntime.so.1"
	if runtime.GOOS == "darwin" {
		name = "libonnxruntime.1.24.3.dylib"
	}
	path := filepath.Join(cache, "edgeplan", "onnxruntime", "1.24.3", runtime.GOOS+"_"+runtime.GOARCH, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("ONNX Runtime is not in the cache (%v): run `make engine`", err)
	}
	return path
}
