package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

// ErrMemory is wrapped by Run when the worker needs more memory than its limit.
var ErrMemory = errors.New("the worker needs more memory than it may have")

// watchEvery is how often a worker looks at its memory.
const watchEvery = 500 * time.Millisecond

// MemoryLimit is what a worker may use, in bytes: what the plan counted on, and a
// quarter for what it could not know. 0 is no limit.
func (m Manifest) MemoryLimit() int64 { return m.MemoryBytes + m.MemoryBytes/4 }

// watchMemory ends a worker, by cancel, that has grown beyond its limit: its
// supervisor starts it anew, and it is its device's memory that is at stake. One
// that goes on to grow by another quarter while it stops is killed. Counted is
// what the system cannot drop; the mapped weights it can, so this is no limit on
// addresses.
func watchMemory(ctx context.Context, limit int64, log *slog.Logger, cancel context.CancelCauseFunc) {
	if limit <= 0 {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	exceeded := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		used, err := heldMemory("/proc/self/status")
		switch {
		case err != nil:
			log.Warn("memory is not watched", "error", err)
			return
		case used > limit+limit/4 && exceeded:
			log.Error("the worker goes on to grow and is killed", "held_bytes", used)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case used > limit && !exceeded:
			exceeded = true
			err := fmt.Errorf("%w: %s, and the limit is %s (what the plan counts on, and a quarter)", ErrMemory, quantity.FormatBytes(used), quantity.FormatBytes(limit))
			log.Error("memory limit exceeded: the worker stops, to be started anew", "held_bytes", used, "limit_bytes", limit)
			cancel(err)
		}
	}
}

// heldMemory is what a process holds that the system cannot drop, in bytes:
// anonymous and shared memory, also where it was swapped out (proc(5), status).
func heldMemory(statusFile string) (int64, error) {
	text, err := os.ReadFile(statusFile)
	if err != nil {
		return 0, err
	}
	total, seen := int64(0), false
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "RssAnon", "RssShmem", "VmSwap":
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %q makes no sense: %w", statusFile, line, err)
			}
			total, seen = total+kilobytes<<10, seen || name == "RssAnon"
		}
	}
	if !seen {
		return 0, fmt.Errorf("%s has no RssAnon: Linux has it since 4.5", statusFile)
	}
	return total, nil
}
