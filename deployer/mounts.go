package deployer

import (
	"context"
	"path"
	"slices"
	"strings"
)

// mount is one file system of a device, as /proc/mounts tells of it.
type mount struct {
	point   string
	options []string
}

// checkMount says whether the file system of a folder takes files and lets
// programs run.
func (s *site) checkMounts(ctx context.Context, existing string) error {
	out, err := s.script(ctx, "mounts", `cat /proc/self/mounts 2>/dev/null || :`)
	if err != nil {
		return err
	}
	return checkMount(existing, out)
}

func checkMount(existing, mounts string) error {
	m := mountOf(existing, mounts)
	switch {
	case slices.Contains(m.options, "emergency_ro"): // ext4 since Linux 6.15, which goes on to say rw
		return problemf("mount", "restart the device, check its card or disk, or set another `path`",
			"%s is on a file system that the kernel has made read-only (%s), because its medium failed", existing, m.point)
	case slices.Contains(m.options, "ro"):
		return problemf("mount", "set another `path`, or mount it with rw", "%s is on a file system that is mounted read-only (%s)", existing, m.point)
	case slices.Contains(m.options, "noexec"):
		return problemf("mount", "set another `path`, or mount it with exec", "%s is on a file system that is mounted noexec (%s), where no program can run", existing, m.point)
	}
	return nil
}

// mountOf finds the file system of an absolute path without symbolic links in
// the text of /proc/mounts: the deepest, and of several at one point the last.
func mountOf(file, mounts string) mount {
	var found mount
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		// The kernel writes these as octal numbers.
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[1])
		inside := point == "/" || file == point || strings.HasPrefix(file, point+"/")
		if inside && path.IsAbs(point) && len(point) >= len(found.point) {
			found = mount{point, strings.Split(fields[3], ",")}
		}
	}
	return found
}
