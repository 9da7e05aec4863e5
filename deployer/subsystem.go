package deployer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// packetBytes of SFTP data travel in one message to servers known to take more
// than the 32 KiB that every server takes.
const packetBytes = 255 << 10

// sftp gives the SFTP session of a connection, opened when it is first needed.
func (l *link) sftp() (*sftp.Client, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.files != nil {
		return l.files, nil
	}
	stderr := &bounded{limit: maxStderr}
	client, err := l.openSFTP(stderr)
	if err != nil {
		return nil, l.explainSFTP(err, stderr.String())
	}
	if _, ok := client.HasExtension("posix-rename@openssh.com"); !ok {
		client.Close()
		return nil, errors.New("the device's SFTP server cannot replace files in one step (posix-rename@openssh.com): install OpenSSH's sftp-server")
	}
	l.files = client
	go l.forgetSFTP(client)
	return client, nil
}

// forgetSFTP lets another session be opened once one has ended: the server of one may, by itself.
func (l *link) forgetSFTP(ended *sftp.Client) {
	_ = ended.Wait()
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.files == ended {
		l.files = nil
	}
}

// explainSFTP says why there is no SFTP, as far as that can be told.
func (l *link) explainSFTP(err error, stderr string) error {
	stderr = strings.TrimSpace(stderr)
	if refused := l.notAllowed(stderr); refused != nil {
		return refused
	}
	if stderr != "" {
		err = fmt.Errorf("%w (%s)", err, stderr)
	}
	if strings.Contains(err.Error(), "packet") {
		return fmt.Errorf("SFTP cannot be used: %w; does a login script of user %s print something? `ssh %s true` must print nothing", err, l.hop.user, shellWord(l.hop.name))
	}
	return fmt.Errorf("SFTP cannot be used: %w; the device's SSH server needs the sftp subsystem: on Debian install openssh-sftp-server, "+
		"on Alpine openssh-sftp-server, on OpenWrt (dropbear) openssh-sftp-server; with OpenSSH, sshd_config also needs the line `Subsystem sftp internal-sftp`", err)
}

func (l *link) openSFTP(stderr io.Writer) (*sftp.Client, error) {
	session, err := l.client.NewSession()
	if err != nil {
		return nil, err
	}
	session.Stderr = stderr
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.startSFTP(session); err != nil {
		session.Close()
		return nil, err
	}
	options := []sftp.ClientOption{sftp.UseConcurrentWrites(true)}
	if strings.HasPrefix(string(l.client.ServerVersion()), "SSH-2.0-OpenSSH") {
		options = append(options, sftp.MaxPacketUnchecked(packetBytes))
	}
	client, err := sftp.NewClientPipe(noticed{out, &l.answered}, in, options...)
	if err != nil {
		session.Close()
		if l.hop.sudo {
			_ = session.Wait() // standard error is complete then
		}
	}
	return client, err
}

func (l *link) startSFTP(session *ssh.Session) error {
	if l.hop.sudo {
		return session.Start(commandLine([]string{"sh", "-c", sftpScript, "sftp"}))
	}
	return session.RequestSubsystem("sftp")
}

// noticed notes when something was read.
type noticed struct {
	io.Reader
	at *atomic.Int64 // Unix time in nanoseconds
}

func (n noticed) Read(p []byte) (int, error) {
	count, err := n.Reader.Read(p)
	n.at.Store(time.Now().UnixNano())
	return count, err
}

// watchSFTP cuts the connection when nothing comes over SFTP for longer than
// the limit, until it is stopped. Every packet of an upload is acknowledged, so
// a slow line is not taken for a dead one.
func (l *link) watchSFTP(limit time.Duration) (stop func()) {
	begun, stopped := time.Now(), make(chan struct{})
	go func() {
		for {
			last := time.Unix(0, max(begun.UnixNano(), l.answered.Load()))
			wait := limit - time.Since(last)
			if wait <= 0 {
				l.cut(fmt.Errorf("SFTP did not answer within %s", limit))
				return
			}
			select {
			case <-stopped:
				return
			case <-l.done:
				return
			case <-time.After(wait):
			}
		}
	}()
	return func() { close(stopped) }
}
