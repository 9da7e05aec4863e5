package probe

import (
	"fmt"
	"strconv"
)

// What no device has.
const (
	mostMemory = 1 << 46 // 64 TiB
	mostCores  = 4096
	mostDisk   = 1 << 60
	mostName   = 100 // bytes
)

// Credible are the facts with what contradicts itself or is absurd made credible, so that
// nothing later counts on it, and with Doubts that say so.
func (f Facts) Credible() Facts {
	f.Doubts = nil
	doubt := func(format string, args ...any) { f.Doubts = append(f.Doubts, fmt.Sprintf(format, args...)) }
	if f.MemoryTotalBytes <= 0 || f.MemoryTotalBytes > mostMemory {
		doubt("it says it has %d bytes of memory, which cannot be: its memory counts as unknown, so write `memory` in its block", f.MemoryTotalBytes)
		f.MemoryTotalBytes, f.MemoryAvailableBytes = 0, 0
	}
	if f.MemoryAvailableBytes > f.MemoryTotalBytes {
		doubt("it says that %d bytes of memory are available, of %d in all: all counts as available", f.MemoryAvailableBytes, f.MemoryTotalBytes)
		f.MemoryAvailableBytes = f.MemoryTotalBytes
	}
	f.MemoryAvailableBytes = max(0, f.MemoryAvailableBytes)
	if f.MemoryLimitBytes < 0 || f.MemoryLimitBytes > f.MemoryTotalBytes {
		if f.MemoryTotalBytes > 0 {
			doubt("the limit of its control group is %d bytes, and it has %d: the limit is left out", f.MemoryLimitBytes, f.MemoryTotalBytes)
		}
		f.MemoryLimitBytes, f.MemoryLeftBytes = 0, 0
	}
	f.MemoryLeftBytes = min(max(0, f.MemoryLeftBytes), f.MemoryLimitBytes)
	f.PipelineBytes = min(max(0, f.PipelineBytes), f.MemoryTotalBytes)
	if f.Cores < 1 || f.Cores > mostCores {
		doubt("it says it has %d processors: it counts as one", f.Cores)
		f.Cores = 1
	}
	if f.DiskFreeBytes < 0 || f.DiskFreeBytes > mostDisk {
		doubt("it says that %d bytes of its disk are free, which counts as none", f.DiskFreeBytes)
		f.DiskFreeBytes = 0
	}
	if !(f.Busy >= 0 && f.Busy <= 1) {
		f.Busy = 0
	}
	if !(f.CPUSecondsPerByte >= 0 && f.CPUSecondsPerByte < 1e-3) {
		doubt("a byte over TLS would cost it %g seconds: that is left out", f.CPUSecondsPerByte)
		f.CPUSecondsPerByte = 0
	}
	names := f.Workers[:min(len(f.Workers), 100)]
	f.Workers = nil
	for _, name := range names {
		f.Workers = append(f.Workers, printable(name))
	}
	return f
}

// printable is a name that may go to a terminal: short, and quoted unless it is plain.
func printable(name string) string {
	name = name[:min(len(name), mostName)]
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// FreeBytes is the memory that another process can have now; 0 is not known.
func (f Facts) FreeBytes() int64 {
	if f.MemoryLimitBytes > 0 {
		return min(f.MemoryAvailableBytes, f.MemoryLeftBytes)
	}
	return f.MemoryAvailableBytes
}

// UsableBytes is the memory that edgeplan may use: what is free, and what it uses already.
func (f Facts) UsableBytes() int64 {
	most := f.MemoryTotalBytes
	if f.MemoryLimitBytes > 0 {
		most = f.MemoryLimitBytes
	}
	return min(most, f.FreeBytes()+f.PipelineBytes)
}
