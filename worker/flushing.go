package worker

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"sync"
	"time"
)

// ReceiveFlushing is a line that Receive prints now and then while it waits for the disk, and the disk
// is at work: many devices may be on one, or other programs, and a flush takes as long as they let it.
const ReceiveFlushing = "flushing"

// flushTold is how often it is printed.
const flushTold = 5 * time.Second

// flush is Sync, which tellFlushing tells of.
func (r *receiving) flush(f *os.File) error {
	r.flushes.Add(1)
	defer r.flushes.Add(-1)
	return f.Sync()
}

// tellFlushing prints ReceiveFlushing every time that more has been written since the time before
// and a flush is under way, until it is stopped.
func (r *receiving) tellFlushing(every time.Duration, written func() string) (stop func()) {
	done := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for before := written(); ; {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			now := written()
			if now != before && r.flushes.Load() > 0 {
				_ = r.print(ReceiveFlushing) // the digest that follows fails in the same way
			}
			before = now
		}
	})
	return func() { close(done); telling.Wait() }
}

// pagesWritten is how many pages the system has written to disks and the network (nr_written in
// proc(5), /proc/vmstat); "" where it does not tell.
func pagesWritten() string {
	content, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), "nr_written "); ok {
			return count
		}
	}
	return ""
}
