package testbed

import (
	"os"
	"syscall"
)

// allocate takes bytes of the disk for a file, from an offset on.
func allocate(f *os.File, offset, bytes int64) error {
	return syscall.Fallocate(int(f.Fd()), 0, offset, bytes)
}
