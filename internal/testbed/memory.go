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
// workers are put as they appear. One that came in when it had its memory already, or
// on a kernel that gives no such groups, is killed as the kernel would do.
type memoryLimit struct {
	dir   string // "" without groups
	limit string // the file that says how much
	none  string // what lifts it
	// before are workers that ran before the limit: they do not grow any more.
	before map[int]bool
	stop   chan struct{}
	done   sync.WaitGroup
}

const (
	fewBytes   = "4194304"
	limitEvery = 10 * time.Millisecond // a worker has its memory a tenth of a second after it began
	// mostPages is the memory that no worker with an engine does without.
	mostPages = 24 << 20 / 4096
)

func startMemoryLimit(key string, workers func() []int) *memoryLimit {
	l := &memoryLimit{stop: make(chan struct{}), before: map[int]bool{}}
	for _, pid := range workers() {
		l.before[pid] = true
	}
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
	if l.dir == "" || resident(pid) > mostPages && !l.before[pid] {
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
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(limitEvery) {
		err := l.empty()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// empty removes the group. A process that starts or ends just now keeps it for a moment.
func (l *memoryLimit) empty() error {
	pids, err := os.ReadFile(filepath.Join(l.dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(pids)) {
		_ = os.WriteFile(filepath.Join(filepath.Dir(l.dir), "cgroup.procs"), []byte(pid), 0)
	}
	return os.Remove(l.dir)
}
