// Package sshdtest starts real OpenSSH servers for tests, each with its own
// host key, home folder and authorised key. It needs no root.
package sshdtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/porttest"
)

// Programs of OpenSSH as Debian installs them.
const (
	sshdPath       = "/usr/sbin/sshd"
	sftpServerPath = "/usr/lib/openssh/sftp-server"
	separationDir  = "/run/sshd"
)

// Required makes a missing sshd fail a test, where it otherwise skips it.
const Required = "EDGEPLAN_REQUIRE_SSHD"

// Options say what a server is like.
type Options struct {
	// IP to listen on, as 127.0.0.12; "" is 127.0.0.1. The port is a free one,
	// unless Port is given.
	IP   string
	Port int
	// Home is where sessions start; "" makes a temporary folder.
	Home string
	// InternalSFTP serves SFTP inside sshd. Sessions then start in the user's own
	// home folder, so paths on the device must be absolute.
	InternalSFTP bool
	// AuthorizedKey may log in.
	AuthorizedKey ssh.PublicKey
	// NoSFTP leaves the subsystem out.
	NoSFTP bool
	// Config are lines of sshd_config that come before the usual ones, and so win.
	Config []string
	// CertifyHost gives the host key a certificate of this authority, for Host.
	CertifyHost ssh.Signer
}

// Server is a running sshd.
type Server struct {
	Host        string
	Port        int
	User        string // the only one who can log in
	Home        string
	HostKeyLine string // as in authorized_keys
	Dir         string // of its files
	LogFile     string

	process *exec.Cmd
	killed  sync.Once
}

// Start starts a server that ends with the test. Without an sshd on this machine
// the test is skipped, or fails when the environment variable Required is set.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	requirePrograms(t)
	dir := t.TempDir()
	s := &Server{Host: o.IP, Port: o.Port, User: currentUser(t), Home: o.Home, Dir: dir, LogFile: filepath.Join(dir, "sshd.log")}
	if s.Host == "" {
		s.Host = "127.0.0.1"
	}
	if s.Home == "" {
		s.Home = t.TempDir()
	}
	if s.Port == 0 {
		s.Port = porttest.Free(t, s.Host)
	}
	var err error
	if s.HostKeyLine, err = WriteHostKey(filepath.Join(dir, "host_key")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "authorized_keys"), ssh.MarshalAuthorizedKey(o.AuthorizedKey), 0o600)
	write(t, filepath.Join(dir, "session"), []byte(sessionScript(s.Home)), 0o700)
	config := filepath.Join(dir, "sshd_config")
	if o.CertifyHost != nil {
		o.Config = append(o.Config, "HostCertificate "+quote(s.certify(t, o.CertifyHost)))
	}
	write(t, config, []byte(strings.Join(append(o.Config, s.config(dir, o)), "\n")), 0o600)
	s.launch(t, config)
	return s
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, fmt.Sprint(s.Port)) }

// Freeze stops the server and all its sessions where they are, as a cut link does for
// those at its other end, or lets them go on.
func (s *Server) Freeze(frozen bool) {
	signal := syscall.SIGCONT
	if frozen {
		signal = syscall.SIGSTOP
	}
	for _, pid := range append(children(s.process.Process.Pid), s.process.Process.Pid) {
		_ = syscall.Kill(pid, signal)
	}
}

// Kill ends the listening server with its sessions, as a crash would. Commands
// that run in the sessions go on.
func (s *Server) Kill() { s.killed.Do(s.kill) }

// Restart starts a server that was killed again, with the same key and port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.killed = sync.Once{}
	s.launch(t, filepath.Join(s.Dir, "sshd_config"))
}

func (s *Server) kill() {
	for _, pid := range children(s.process.Process.Pid) {
		if child, err := os.FindProcess(pid); err == nil {
			_ = child.Kill()
		}
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// children are the processes that serve single connections. Not every kernel
// lists them, so all processes are asked for their parent.
func children(pid int) []int {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var pids []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(content), ") ") // the name before may hold anything else
		fields := strings.Fields(rest)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			pids = append(pids, child)
		}
	}
	return pids
}

func requirePrograms(t testing.TB) {
	t.Helper()
	for _, path := range []string{sshdPath, sftpServerPath} {
		if _, err := os.Stat(path); err == nil {
			continue
		}
		message := path + " is missing: install openssh-server"
		if os.Getenv(Required) != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.MkdirAll(separationDir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func currentUser(t testing.TB) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// config is that of a server for one user. Sessions go through a script that
// gives each server a home folder of its own.
func (s *Server) config(dir string, o Options) string {
	lines := []string{
		"ListenAddress " + s.Addr(),
		"HostKey " + quote(filepath.Join(dir, "host_key")),
		"AuthorizedKeysFile " + quote(filepath.Join(dir, "authorized_keys")),
		"PidFile none",
		"StrictModes no",
		"UsePAM no",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"PermitRootLogin prohibit-password",
		"AllowTcpForwarding no",
		"MaxSessions 50",
		"MaxStartups 100",
		"LogLevel VERBOSE",
		"SetEnv SHLVL=2", // keeps bash from reading the .bashrc of whoever runs the test
	}
	if o.NoSFTP {
		return strings.Join(append(lines, "ForceCommand "+filepath.Join(dir, "session")), "\n") + "\n"
	}
	if o.InternalSFTP {
		return strings.Join(append(lines, "Subsystem sftp internal-sftp"), "\n") + "\n"
	}
	return strings.Join(append(lines, "Subsystem sftp "+sftpServerPath,
		"ForceCommand "+filepath.Join(dir, "session")), "\n") + "\n"
}

func quote(s string) string { return `"` + s + `"` }

func sessionScript(home string) string {
	quoted := "'" + strings.ReplaceAll(home, "'", `'\''`) + "'"
	return "#!/bin/sh\nHOME=" + quoted + "\nEDGEPLAN_SUPERVISION=none\nexport HOME EDGEPLAN_SUPERVISION\ncd \"$HOME\" || exit 1\n" +
		"[ \"$SSH_ORIGINAL_COMMAND\" = " + sftpServerPath + " ] && exec " + sftpServerPath + "\n" +
		"exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
}

// WriteHostKey writes a new private key for an sshd and gives its public line.
func WriteHostKey(path string) (string, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))), os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

// certify writes a certificate for the host key, and gives its file.
func (s *Server) certify(t testing.TB, authority ssh.Signer) string {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKeyLine))
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key, CertType: ssh.HostCert, KeyId: "test host", ValidPrincipals: []string{s.Host}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "host_key-cert.pub")
	write(t, file, ssh.MarshalAuthorizedKey(cert), 0o600)
	return file
}

// Log is what the server has said so far.
func (s *Server) Log() string {
	content, err := os.ReadFile(s.LogFile)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func write(t testing.TB, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

// launch starts sshd and waits until it answers.
func (s *Server) launch(t testing.TB, config string) {
	t.Helper()
	log, err := os.Create(s.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.process = exec.Command(sshdPath, "-D", "-e", "-f", config)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if s.answers() {
			return
		}
	}
	content, _ := os.ReadFile(s.LogFile)
	t.Fatalf("sshd does not answer on %s:\n%s", s.Addr(), content)
}

// answers says whether the server greets.
func (s *Server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	greeting := make([]byte, 4)
	n, _ := conn.Read(greeting)
	return string(greeting[:n]) == "SSH-"
}
