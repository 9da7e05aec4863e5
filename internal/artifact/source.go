package artifact

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const (
	modulePath    = "github.com/edgeplan/edgeplan"
	workerPackage = "cmd/edgeplan-worker"
)

// sourceFolders are the folders in or under which the source of this program
// may lie, the surest first: where it was compiled, its own, the working folder.
func sourceFolders(executable string) []string {
	var folders []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) { // not absolute after -trimpath
		folders = append(folders, filepath.Dir(file))
	}
	if executable != "" {
		folders = append(folders, filepath.Dir(executable))
	}
	if dir, err := os.Getwd(); err == nil {
		folders = append(folders, dir)
	}
	return folders
}

// findSource gives the root of this module at or above one of the folders.
func findSource(folders []string) (root string, ok bool) {
	for _, dir := range folders {
		for {
			if isSource(dir) {
				return dir, true
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return "", false
}

func isSource(dir string) bool {
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || modfile.ModulePath(content) != modulePath {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(workerPackage)))
	return err == nil && info.IsDir()
}

// moduleVersion accepts a stamped version that the Go toolchain can get again:
// not "(devel)", and not one with uncommitted changes.
func moduleVersion(stamped string) (string, bool) {
	return stamped, semver.IsValid(stamped) && !strings.HasSuffix(stamped, "+dirty")
}
