package agent

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// idleTime is over which it is measured how busy a device is.
const idleTime = 300 * time.Millisecond

// facts looks at the device, first at how busy it is without us.
func (a *agent) facts(request probe.FactsRequest) (*probe.Facts, error) {
	system := system{"/"}
	busy := system.busy(idleTime)
	f := system.facts()
	f.Busy = busy
	f.Cores = min(f.Cores, runtime.NumCPU()) // which counts the affinity
	var disk syscall.Statfs_t
	if err := syscall.Statfs(a.Root, &disk); err == nil {
		f.DiskFreeBytes = int64(disk.Bavail) * int64(disk.Bsize) //nolint:unconvert // types differ by architecture
	}
	if a.Workers != nil {
		f.Workers, f.PipelineBytes = a.Workers(a.Root)
	}
	if request.Wire {
		perByte, err := wireCost(wireTime)
		if err != nil {
			return nil, err
		}
		f.CPUSecondsPerByte = perByte / system.share()
	}
	return &f, nil
}

// system is where the kernel's files are: "/", or a folder of a test.
type system struct{ root string }

func (s system) read(path string) string {
	text, err := os.ReadFile(s.root + path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// facts are those of /proc and of control groups.
func (s system) facts() probe.Facts {
	f := probe.Facts{Cores: 1 << 16}
	for line := range strings.Lines(s.read("proc/meminfo")) {
		name, rest, _ := strings.Cut(line, ":")
		switch value := kibibytes(rest); name {
		case "MemTotal":
			f.MemoryTotalBytes = value
		case "MemAvailable":
			f.MemoryAvailableBytes = value
		}
	}
	groups := s.groups()
	if q := groups.quota(); q.processors > 0 {
		f.Cores = min(f.Cores, max(1, int(q.processors+0.999)))
	}
	f.MemoryLimitBytes, f.MemoryLeftBytes = groups.memory()
	return f
}

// share is how much of one processor there is at least: what takes its time takes longer
// where a control group grants less than one.
func (s system) share() float64 {
	if q := s.groups().quota(); q.processors > 0 {
		return min(1, q.processors)
	}
	return 1
}

// kibibytes reads "  123 kB" of /proc/meminfo as bytes; 0 where it makes no sense.
func kibibytes(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return 0
	}
	return n << 10
}

// busy is the share of all processors' time that was used over a while.
func (s system) busy(d time.Duration) float64 {
	total, idle := s.processors()
	time.Sleep(d)
	total2, idle2 := s.processors()
	if total2 <= total {
		return 0
	}
	return min(1, max(0, 1-float64(idle2-idle)/float64(total2-total)))
}

// processors gives the ticks of all processors and those in which they idled, of the
// first line of /proc/stat (proc(5)).
func (s system) processors() (total, idle int64) {
	line, _, _ := strings.Cut(s.read("proc/stat"), "\n")
	fields := strings.Fields(line)
	for i, field := range fields[min(1, len(fields)):] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil || i > 7 { // guests are counted in user time
			break
		}
		total += ticks
		if i == 3 || i == 4 { // idle, waiting for disks
			idle += ticks
		}
	}
	return total, idle
}
