package testbed

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryGroup is the control group that counts a device's memory (cgroups(7)); the
// zero value is where the kernel has none to give.
type memoryGroup struct {
	dir    string
	limits string // the file that limits it
	none   string // what lifts the limit
}

func newMemoryGroup(name string) memoryGroup {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "memory", "memory.limit_in_bytes")); err == nil {
		g := memoryGroup{filepath.Join(root, "memory", name), "memory.limit_in_bytes", "-1"}
		return g.made()
	}
	_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory"), 0)
	return memoryGroup{filepath.Join(root, name), "memory.max", "max"}.made()
}

func (g memoryGroup) made() memoryGroup {
	if os.Mkdir(g.dir, 0o755) != nil {
		return memoryGroup{}
	}
	if _, err := os.Stat(filepath.Join(g.dir, g.limits)); err != nil {
		_ = os.Remove(g.dir)
		return memoryGroup{}
	}
	return g
}

// join is the file that a process writes its id to.
func (g *memoryGroup) join() string {
	if g.dir == "" {
		return ""
	}
	_ = os.Mkdir(g.dir, 0o755) // again, after the device was off
	return filepath.Join(g.dir, "cgroup.procs")
}

// spare is the memory in MiB that a limit leaves: too little for another worker.
const spare = 8

// limit leaves no more than what processes hold now, and a little.
func (g *memoryGroup) limit() error {
	if g.dir == "" {
		return nil
	}
	held, err := g.held()
	if err != nil {
		return err
	}
	for step := range 64 { // the older kind refuses what does not fit
		limit := strconv.FormatInt(held+int64(step+spare)<<20, 10)
		if err = os.WriteFile(filepath.Join(g.dir, g.limits), []byte(limit), 0); err == nil {
			return nil
		}
	}
	return err
}

func (g *memoryGroup) unlimit() error {
	if g.dir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(g.dir, g.limits), []byte(g.none), 0)
}

// held is the memory of processes: their own, and what they have mapped of files.
func (g *memoryGroup) held() (int64, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	var held int64
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "rss", "mapped_file", "anon", "file_mapped":
			bytes, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return 0, err
			}
			held += bytes
		}
	}
	return held, nil
}

// remove takes the group away once its processes have ended.
func (g *memoryGroup) remove() {
	for range 100 {
		if g.dir == "" || os.Remove(g.dir) == nil || os.IsNotExist(os.Remove(g.dir)) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
