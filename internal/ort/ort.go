// Package ort is a thin binding of ONNX Runtime without cgo: the library is
// loaded with dlopen through purego, and its functions are called through the
// OrtApi table of onnxruntime_c_api.h.
package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/ebitengine/purego"
)

// Engine is a loaded ONNX Runtime library with its environment. It is never
// unloaded, since the library leaves threads behind.
type Engine struct {
	version string
	api     *functions
	env     handle
	memory  handle // OrtMemoryInfo of plain memory
	heap    handle // the default OrtAllocator; the engine's own
}

// Open loads the library at a path. Opening it again is cheap: the process
// shares one library and one environment.
func Open(path string) (*Engine, error) {
	engine, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("load ONNX Runtime from %s: %w", path, err)
	}
	return engine, nil
}

func open(path string) (*Engine, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path) // a bare name would be looked for in the system's folders
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread() // the reason of a failure is kept per thread
	defer runtime.UnlockOSThread()
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, explainDlopen(err)
	}
	getBase, err := purego.Dlsym(library, "OrtGetApiBase")
	if err != nil {
		return nil, fmt.Errorf("it is a library, but not ONNX Runtime: %w", err)
	}
	engine := &Engine{}
	if engine.version, engine.api, err = bind(getBase); err != nil {
		return nil, err
	}
	return engine, engine.setUp()
}

// checkFile gives the reasons for which dlopen has only misleading words.
func checkFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err // it names the path and the reason
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no regular file")
	}
	return checkPlatform(path)
}

func explainDlopen(err error) error {
	text := err.Error()
	if strings.Contains(text, "GLIBC") || strings.Contains(text, "ld-linux") || strings.Contains(text, "libc.musl") {
		return fmt.Errorf("%w: ONNX Runtime needs a system with glibc 2.27 or later; musl (Alpine) is none", err)
	}
	return err
}

// setUp makes the environment. Its log on standard error stays silent: what goes
// wrong comes back as an Error with the same words.
func (e *Engine) setUp() error {
	const (
		logFatal        = 4 // ORT_LOGGING_LEVEL_FATAL
		deviceAllocator = 0 // OrtDeviceAllocator
		defaultMemory   = 0 // OrtMemTypeDefault
	)
	if err := e.check(e.api.CreateEnv(logFatal, "edgeplan", &e.env)); err != nil {
		return err
	}
	if err := e.check(e.api.CreateCPUMemoryInfo(deviceAllocator, defaultMemory, &e.memory)); err != nil {
		return err
	}
	return e.check(e.api.GetAllocatorWithDefaultOptions(&e.heap))
}

// Version is the library's own version, as "1.24.3".
func (e *Engine) Version() string { return e.version }

// minor is the second number of a version such as "1.24.3", which is also the
// highest version of the OrtApi table that the library has.
func minor(version string) (uint32, error) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return 0, fmt.Errorf("version %q is not of the form 1.x", version)
	}
	n, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil {
		return 0, fmt.Errorf("version %q is not of the form 1.x: %w", version, err)
	}
	return uint32(n), nil
}
