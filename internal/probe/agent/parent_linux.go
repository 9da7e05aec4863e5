package agent

import "syscall"

// EndsWithParent makes the kernel end a process with the one that started it, also
// when that is killed.
func EndsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
