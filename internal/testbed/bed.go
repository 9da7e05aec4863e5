// Package testbed makes devices out of Linux namespaces, for tests that break them
// for real: each has a network interface, processes, an ext4 file system on a disk
// image, and a memory limit of its own, and an OpenSSH server. It needs root, and
// leaves nothing behind when the test process is killed.
package testbed

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Options say what a bed is like.
type Options struct {
	Devices       []string      // names
	AuthorizedKey ssh.PublicKey // may log in, as root
	DiskBytes     int64         // of each device
}

// Bed is an operator and devices on one network, which is not connected to any other
// but in a bed of StartPlain.
type Bed struct {
	t        testing.TB
	operator *namespace
	devices  map[string]*Device
}

// programs that a bed is made with, and the Debian packages that have them.
var programs = map[string]string{"/usr/sbin/sshd": "openssh-server", sftpServer: "openssh-sftp-server",
	"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mkfs.ext4": "e2fsprogs", "e2fsck": "e2fsprogs"}

// Unusable says why this machine and user cannot make a bed; nil is that they can.
func Unusable() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root")
	}
	for program, debian := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: install %s", program, debian)
		}
	}
	try := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "ip", "link", "add", "br0", "type", "bridge")
	if out, err := try.CombinedOutput(); err != nil {
		return fmt.Errorf("no namespaces with a network bridge are to be had: %v: %s", err, strings.TrimSpace(string(out)))
	}
	dir, err := os.MkdirTemp("", "edgeplan-bed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := makeDisk(filepath.Join(dir, imageFile), 8<<20); err != nil {
		return err
	}
	if out, err := exec.Command("unshare", "--mount", "mount", "-o", "loop", filepath.Join(dir, imageFile), "/mnt").CombinedOutput(); err != nil {
		return fmt.Errorf("no disk image can be mounted: %v: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Start makes a bed that ends with the test.
func Start(t testing.TB, o Options) *Bed {
	t.Helper()
	b := &Bed{t: t, devices: map[string]*Device{}}
	operator, err := newNamespace(exec.Command("unshare", "--net", "sh", "-c", "echo ready; exec cat"))
	if err != nil {
		t.Fatal(err)
	}
	b.operator = operator
	t.Cleanup(operator.end)
	b.must(b.operator.ip(
		"link set lo up",
		"link add br0 address "+mac(operatorNumber)+" type bridge",
		"addr add "+address(operatorNumber)+"/24 dev br0",
		"link set br0 up"))
	for i, name := range o.Devices {
		d, err := newDevice(b, t.TempDir(), name, i+1, o)
		b.must(err)
		b.devices[name] = d
		t.Cleanup(d.end)
		b.must(d.boot())
	}
	return b
}

// Device by its name.
func (b *Bed) Device(name string) *Device { return b.devices[name] }

// Command is a command of the operator: it sees the network of the bed.
func (b *Bed) Command(program string, args ...string) *exec.Cmd {
	if b.operator == nil {
		return exec.Command(program, args...)
	}
	// nsenter becomes the program, so that its process is the command's.
	return exec.Command("nsenter", append([]string{"--net=" + b.operator.file("net"), "--", program}, args...)...)
}

func (b *Bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

const operatorNumber = 254

// Addresses are the same in every bed: their networks do not meet.
func address(number int) string { return fmt.Sprintf("10.77.0.%d", number) }
func mac(number int) string     { return fmt.Sprintf("02:00:00:00:00:%02x", number) }

// namespace is a process that holds namespaces of its own until its standard input ends.
type namespace struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	stdout  *lineReader
}

// newNamespace starts a command that prints "ready".
func newNamespace(command *exec.Cmd) (*namespace, error) {
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var problems strings.Builder
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		return nil, err
	}
	n := &namespace{command, stdin, newLineReader(stdout)}
	if line, err := n.stdout.next(); line != "ready" {
		n.end()
		return nil, fmt.Errorf("%s: %w: %q: %s", strings.Join(command.Args, " "), err, line, problems.String())
	}
	return n, nil
}

// file of one of the namespaces (namespaces(7)).
func (n *namespace) file(kind string) string {
	return fmt.Sprintf("/proc/%d/ns/%s", n.process.Process.Pid, kind)
}

// ip runs commands of ip(8) in the network namespace.
func (n *namespace) ip(lines ...string) error {
	command := exec.Command("nsenter", "--net="+n.file("net"), "ip", "-batch", "-")
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s\nof\n%s", err, out, strings.Join(lines, "\n"))
	}
	return nil
}

func (n *namespace) end() {
	n.stdin.Close()
	_ = n.process.Process.Kill()
	_ = n.process.Wait()
}
