// Package artifact collects what devices need beside their slices: the worker
// program and the ONNX Runtime library of each platform. `edgeplan init`
// collects them into the work folder and pins them by digest in a lock file;
// the other commands open what was collected.
package artifact

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Names in a configuration folder.
const (
	WorkDir  = ".edgeplan"          // what init collects
	LockFile = ".edgeplan.lock.hcl" // what it pins
)

// EngineVariable names the environment variable that points at an engine
// library for the operator's own platform, or at a folder that holds
// <os>_<arch>/<library> for several.
const EngineVariable = "EDGEPLAN_ONNXRUNTIME"

// Kind says what an artifact is.
type Kind string

// The kinds of artifact.
const (
	KindEngine Kind = "engine" // the ONNX Runtime library
	KindWorker Kind = "worker" // the program that runs a stage
)

// Artifact is one collected file.
type Artifact struct {
	Kind     Kind
	Platform string // as linux/arm64
	Version  string
	Path     string
	Digest   string // sha256, 64 hex digits
	Size     int64  // bytes
	Source   string // where it was found, for people
}

// What can be wrong with an artifact.
var (
	// ErrUnavailable: there is no engine for the platform.
	ErrUnavailable = errors.New("ONNX Runtime is not available")
	// ErrNotInitialized: it has not been collected yet.
	ErrNotInitialized = errors.New("not initialized")
	// ErrDigest: it is not what the lock file pins.
	ErrDigest = errors.New("digest differs from the lock file")
)

// Architectures are the platforms that a device can have.
func Architectures() []string { return []string{"linux/amd64", "linux/arm", "linux/arm64"} }

var platformPattern = regexp.MustCompile(`^[a-z0-9]{2,16}/[a-z0-9]{2,16}$`)

// checkPlatform accepts os/arch, nothing that could lead elsewhere as a folder.
func checkPlatform(platform string) error {
	if !platformPattern.MatchString(platform) {
		return fmt.Errorf("%q is no platform: write it as linux/arm64", platform)
	}
	return nil
}

// folder is the name of a platform in file names: linux_arm64.
func folder(platform string) string { return strings.ReplaceAll(platform, "/", "_") }
