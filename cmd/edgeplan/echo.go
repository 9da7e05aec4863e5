//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// stopEcho makes a terminal show nothing of what is typed (termios(3)).
func stopEcho(terminal *os.File) error {
	number := int(terminal.Fd())
	settings, err := unix.IoctlGetTermios(number, getTermios)
	if err != nil {
		return err
	}
	settings.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(number, setTermios, settings)
}
