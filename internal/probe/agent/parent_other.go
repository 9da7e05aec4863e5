//go:build !linux

package agent

import "syscall"

// EndsWithParent does nothing where no kernel does: devices are Linux.
func EndsWithParent() *syscall.SysProcAttr { return nil }
