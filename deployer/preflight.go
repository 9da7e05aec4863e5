package deployer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/statefile"
)

// releaseSlack is what a release needs on disk beside its blobs: manifest,
// links, logs.
const releaseSlack = 1 << 20

// lookScript looks at a device and changes nothing. $1 is edgeplan's folder.
// Prints the system, the machine, the width of its programs, the nearest folder
// that exists, whether it is a folder that can be written, and the C library's loaders.
const lookScript = machineScript + `
d=$1
while [ ! -e "$d" ] && [ -n "$d" ]; do d=${d%/*}; done
[ -n "$d" ] || d=/
if [ ! -d "$d" ]; then echo file; elif [ -w "$d" ] && [ -x "$d" ]; then echo writable; else echo locked; fi
command -v sha256sum >/dev/null && echo sha256sum || echo none
for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 /lib/ld-linux-armhf.so.3; do [ -e "$l" ] && echo "$l"; done
p=$(cd "$d" 2>/dev/null && pwd -P) && d=$p
printf '%s' "$d"
`

// loader is the C library's, which worker and engine are linked with; "" for an
// architecture that edgeplan does not run on.
func loader(architecture string) string {
	return map[string]string{
		"linux/amd64": "/lib64/ld-linux-x86-64.so.2",
		"linux/arm64": "/lib/ld-linux-aarch64.so.1",
		"linux/arm":   "/lib/ld-linux-armhf.so.3",
	}[architecture]
}

// look is what was found on a device.
type look struct {
	architecture string
	writable     bool
	isFile       bool // existing is
	hasSHA256    bool
	loaders      []string
	existing     string // edgeplan's folder, or the nearest folder above it
}

func lookAt(ctx context.Context, s *site) (look, error) {
	out, err := s.script(ctx, "preflight", lookScript, s.root)
	if err != nil {
		return look{}, err
	}
	return parseLook(out)
}

// parseLook reads what lookScript prints.
func parseLook(out string) (look, error) {
	lines := strings.SplitN(out, "\n", 6)
	if len(lines) < 6 {
		return look{}, fmt.Errorf("the device's answer makes no sense: %q", out)
	}
	l := look{architecture: architectureOf(lines[0], lines[1], lines[2]),
		writable: lines[3] == "writable", isFile: lines[3] == "file", hasSHA256: lines[4] == "sha256sum", existing: lines[5]}
	for {
		line, rest, ok := strings.Cut(l.existing, "\n")
		if !ok || !isLoader(line) {
			return l, nil
		}
		l.loaders, l.existing = append(l.loaders, line), rest
	}
}

func isLoader(path string) bool {
	return path == loader("linux/amd64") || path == loader("linux/arm64") || path == loader("linux/arm")
}

// check compares a device with what is to run there.
func (l look) check(node statefile.Node) error {
	var problems []error
	if node.Architecture != "" && l.architecture != node.Architecture {
		return problemf("architecture", "correct `architecture` of the node, or leave it out", "the device is %s, and the plan takes it for %s", l.architecture, node.Architecture)
	}
	if l.isFile {
		problems = append(problems, noFolder(l.existing))
	} else if !l.writable {
		problems = append(problems, problemf("path", "give the user that folder, or set another `path`", "%s cannot be written by user %s", l.existing, node.SSH.User))
	}
	if !l.hasSHA256 {
		problems = append(problems, problemf("tools", "install coreutils or busybox", "there is no sha256sum command"))
	}
	if want := loader(l.architecture); want != "" && !slices.Contains(l.loaders, want) {
		problems = append(problems, problemf("libc", "worker and engine need glibc, which musl systems such as Alpine do not have: use a system with glibc there", "%s is missing", want))
	}
	return errors.Join(problems...)
}

// checkSpace compares what is free with what has to be written. It looks before
// anything is written: SFTP has no word for a full disk.
func checkSpace(ctx context.Context, s *site, existing string, missing int64) error {
	free, err := s.freeSpace(ctx, existing)
	if err != nil {
		return fmt.Errorf("cannot tell the free space at %s: %w", existing, err)
	}
	switch need := missing + releaseSlack; {
	case missing == 0:
		return nil
	case free.bytes < need:
		return problemf("space", "free some there, or lower `keep_releases`: releases kept for rollback take space too",
			"the disk is too full: %s needed at %s, %s free", byteCount(need), s.root, byteCount(free.bytes))
	case free.files < releaseFiles:
		return problemf("space", "remove files there", "the file system at %s has room for %d more files (inodes), and a release needs up to %d", s.root, free.files, releaseFiles)
	}
	return nil
}

// explainFailed asks whether a command failed because the disk of a folder is full:
// what runs on a device seldom says so, and cannot write it to its log.
func (s *site) explainFailed(ctx context.Context, existing string, err error) error {
	var failed *CommandError
	if !errors.As(err, &failed) {
		return err
	}
	if full := checkSpace(ctx, s, existing, 1); full != nil {
		return fmt.Errorf("%w (%w)", full, err)
	}
	return err
}

// releaseFiles is how many files must still fit: a release has a few hundred at most.
const releaseFiles = 512

// space is what a file system takes yet.
type space struct{ bytes, files int64 }

// freeSpace asks for the file system of a folder. What it does not tell is plenty.
func (s *site) freeSpace(ctx context.Context, folder string) (space, error) {
	free := space{1 << 62, 1 << 62}
	err := s.files(ctx, func(c *sftp.Client) error {
		if _, ok := c.HasExtension("statvfs@openssh.com"); !ok {
			return nil
		}
		found, err := c.StatVFS(path.Clean(folder))
		if err != nil {
			return err
		}
		free.bytes = int64(min(found.Bavail*found.Frsize, 1<<62))
		if found.Files > 0 { // some file systems do not count them
			free.files = int64(min(found.Favail, 1<<62))
		}
		return nil
	})
	return free, err
}

// byteCount is a number of bytes as people read it.
func byteCount(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
