package deployer

import (
	"errors"
	"fmt"
	"strings"
)

// sudo runs what follows as root, and fails rather than ask for a password.
func sudo() []string { return []string{"sudo", "-n", "--"} }

// command is the command line of a command, as who it is to run.
func (l *link) command(args []string) string {
	if l.hop.sudo {
		args = append(sudo(), args...)
	}
	return commandLine(args)
}

// sftpScript starts an SFTP server as root: the subsystem runs as the user. The
// paths are those of Debian, Fedora, Arch, Alpine, OpenWrt and Buildroot.
const sftpScript = `
for p in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server /usr/libexec/sftp-server /usr/lib/sftp-server; do
	[ -x "$p" ] && exec sudo -n -- "$p"
done
echo "there is no sftp-server: install openssh-sftp-server" >&2
exit 127
`

// notAllowed tells sudo's own refusals from errors of what it runs.
func (l *link) notAllowed(stderr string) error {
	if !l.hop.sudo {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	switch {
	case strings.HasPrefix(first, "sudo: "), strings.Contains(first, "not in the sudoers file"), strings.Contains(first, "is not allowed to execute"):
		return &BecomeError{User: l.hop.user, Err: errors.New(first)}
	case strings.Contains(first, "sudo: not found"), strings.Contains(first, "sudo: command not found"), strings.Contains(first, "can't execute 'sudo'"):
		return &BecomeError{User: l.hop.user, Err: fmt.Errorf("sudo is not installed there (%s)", first)}
	}
	return nil
}
