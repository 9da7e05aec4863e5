package testbed

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memoryLimit is a control group (cgroups(7)) with next to no memory, into which
// workers are put as they appear. Where the kernel gives no such groups they are
// killed instead, as it would do.
type memoryLimit struct {
	dir   string // "" without groups
	limit string // the file that says how much
	none  string // what lifts it
	stop  chan struct{}
	done  sync.WaitGroup
}

const (
	fewBytes   = "4194304"
	limitEvery = 50 * time.Millisecond
)

func startMemoryLimit(key string, workers func() []int) *memoryLimit {
	l := &memoryLimit{stop: make(chan struct{})}
	sum := sha256.Sum256([]byte(key))
	l.makeGroup("edgeplan-" + hex.EncodeToString(sum[:8]))
	l.done.Go(func() {
		for {
			for _, pid := range workers() {
				l.apply(pid)
			}
			select {
			case <-l.stop:
				return
			case <-time.After(limitEvery):
			}
		}
	})
	return l
}

// makeGroup makes one of the older kind, or of the newer.
func (l *memoryLimit) makeGroup(name string) {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "memory", "memory.limit_in_bytes")); err == nil {
		l.dir, l.limit, l.none = filepath.Join(root, "memory", name), "memory.limit_in_bytes", "-1"
	} else {
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory"), 0)
		l.dir, l.limit, l.none = filepath.Join(root, name), "memory.max", "max"
	}
	_ = os.Mkdir(l.dir, 0o755)
	if err := os.WriteFile(filepath.Join(l.dir, l.limit), []byte(fewBytes), 0); err != nil {
		_ = os.Remove(l.dir)
		l.dir = ""
	}
}

func (l *memoryLimit) apply(pid int) {
	if l.dir == "" {
		_ = killProcess(pid)
		return
	}
	_ = os.WriteFile(filepath.Join(l.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0) // or it has ended
}

// end lifts the limit and lets processes go back to where they were counted before.
func (l *memoryLimit) end() error {
	close(l.stop)
	l.done.Wait()
	if l.dir == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(l.dir, l.limit), []byte(l.none), 0); err != nil {
		return err
	}
	pids, err := os.ReadFile(filepath.Join(l.dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(pids)) {
		_ = os.WriteFile(filepath.Join(filepath.Dir(l.dir), "cgroup.procs"), []byte(pid), 0)
	}
	return os.Remove(l.dir)
}
