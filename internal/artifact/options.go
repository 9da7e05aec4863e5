package artifact

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
)

// Options are where artifacts come from. FromEnvironment gives those of this
// process, to which a run adds what the operator asked for.
type Options struct {
	// ConfiguredPaths are engine libraries by platform, as the configuration
	// names them.
	ConfiguredPaths map[string]string
	// Environment is the value of EDGEPLAN_ONNXRUNTIME.
	Environment string
	// CacheDir is the user's folder for caches, shared by all configurations;
	// "" is none.
	CacheDir string
	// Executable is the path of the running program, beside which a release
	// archive lays the workers; "" is none.
	Executable string
	// Host is the operator's platform.
	Host string
	// Offline forbids the network.
	Offline bool
	// Upgrade accepts what differs from the lock file.
	Upgrade bool
	// Progress is told what takes time. It may be nil.
	Progress func(message string)

	sources   []string // folders at or under the source of this program
	module    string   // its version as the Go toolchain stamped it
	release   *release // nil: the one this version works with
	installed *Set     // what is collected already; may be nil
}

// FromEnvironment gives the options of this process.
func FromEnvironment() Options {
	o := Options{Environment: os.Getenv(EngineVariable), Host: runtime.GOOS + "/" + runtime.GOARCH}
	if dir, err := os.UserCacheDir(); err == nil {
		o.CacheDir = dir
	}
	if path, err := os.Executable(); err == nil {
		o.Executable = path
		if target, err := filepath.EvalSymlinks(path); err == nil {
			o.Executable = target
		}
	}
	o.sources = sourceFolders(o.Executable)
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == modulePath {
		o.module = info.Main.Version
	}
	return o
}

func (o Options) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

func (o Options) engineRelease() release {
	if o.release != nil {
		return *o.release
	}
	return currentRelease()
}
