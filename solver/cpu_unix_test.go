//go:build unix

package solver

import (
	"context"
	"syscall"
	"time"
)

// processTime is what this process has computed so far, all threads together.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// computing ends when this process has computed for some time, so that what a
// benchmark prints does not depend on what else the machine does.
type computing struct {
	context.Context
	until time.Duration
}

func (c computing) Err() error {
	if processTime() > c.until {
		return context.DeadlineExceeded
	}
	return c.Context.Err()
}

// withComputing bounds a context by seconds of one core.
func withComputing(ctx context.Context, limit time.Duration) context.Context {
	return computing{ctx, processTime() + limit}
}

// mostMemory is the most that this process had resident, in bytes.
func mostMemory() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return int64(u.Maxrss) << 10
}
