package worker

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeBytes is the most that a pipe may hold without a privilege, unless somebody set another limit.
const pipeBytes = 1 << 20

// widen lets a pipe hold more than 64 KiB, so that who writes into it and who reads from it wait
// less often for each other. What is no pipe stays as it is.
func widen(in any) {
	if f, ok := in.(*os.File); ok {
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, pipeBytes)
	}
}
