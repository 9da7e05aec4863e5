package artifact

import (
	"fmt"
	"strings"
)

// release is a version of ONNX Runtime as its npm package carries it.
type release struct {
	npmPackage string
	version    string
	libraries  []library
}

// library is the engine of one platform.
type library struct {
	platform string
	npmPath  string // behind package/bin/napi-v<n>/
	digest   string // sha256
}

// currentRelease is the version this edgeplan works with. The package has no
// library for 32-bit arm and none for Intel Macs.
func currentRelease() release {
	return release{
		npmPackage: "onnxruntime-node",
		version:    EngineVersion,
		libraries: []library{
			{"darwin/arm64", "darwin/arm64/libonnxruntime.1.24.3.dylib", "76831409ce6eded92b4cb343cf422c458a60c1ea1d5f3cfa69692ab7fcc67f0f"},
			{"linux/amd64", "linux/x64/libonnxruntime.so.1", "92ba8e44d31b80a34f5e805076a044122c3be1fffe0d88ed790de7267b0b2682"},
			{"linux/arm64", "linux/arm64/libonnxruntime.so.1", "33032cb5b91c12edbf028d7c69fa40a31848d66c0095448758af237d5e0b07db"},
		},
	}
}

// EngineVersion is the version of ONNX Runtime that this edgeplan collects.
const EngineVersion = "1.24.3"

// LibraryName is the file name of the engine on a platform.
func LibraryName(platform string) string {
	if strings.HasPrefix(platform, "darwin/") {
		return "libonnxruntime." + EngineVersion + ".dylib"
	}
	return "libonnxruntime.so.1"
}

// library gives the release's engine of a platform.
func (r release) library(platform string) (library, bool) {
	for _, l := range r.libraries {
		if l.platform == platform {
			return l, true
		}
	}
	return library{}, false
}

// spec is what npm is asked for.
func (r release) spec() string { return r.npmPackage + "@" + r.version }

// unavailable is the error for a platform that the release leaves out.
func (r release) unavailable(platform string) error {
	var have []string
	for _, l := range r.libraries {
		have = append(have, l.platform)
	}
	return fmt.Errorf("%w for %s: %s has it for %s; such a device can carry a gateway but no stage, "+
		"unless the configuration names a library built for it", ErrUnavailable, platform, r.spec(), strings.Join(have, ", "))
}
