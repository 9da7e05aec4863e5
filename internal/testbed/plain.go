package testbed

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
)

// plain is what a device is where no namespaces are to be had: an OpenSSH server of
// this machine, and a relay before it that can cut or swallow what goes to and fro. It
// has no disk, no power and no board of its own.
type plain struct {
	t        testing.TB
	server   *sshdtest.Server
	listener net.Listener
	silent   atomic.Bool
	cut      atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

// plainAddresses counts the loopback addresses given to plain devices.
var plainAddresses atomic.Int32

// StartPlain makes a bed without namespaces, which needs no privileges. Its devices
// have no PowerOff, FillDisk, FailDisk and Become.
func StartPlain(t testing.TB, o Options) *Bed {
	t.Helper()
	b := &Bed{t: t, devices: map[string]*Device{}}
	for _, name := range o.Devices {
		ip := fmt.Sprintf("127.77.%d.%d", os.Getpid()%250, plainAddresses.Add(1))
		d := &Device{Name: name, Address: ip, bed: b, plain: startPlain(t, ip, o.AuthorizedKey)}
		d.HostKeyLine, d.User = d.plain.server.HostKeyLine, d.plain.server.User
		d.Port = d.plain.listener.Addr().(*net.TCPAddr).Port
		b.devices[name] = d
	}
	return b
}

func startPlain(t testing.TB, ip string, key ssh.PublicKey) *plain {
	t.Helper()
	listener, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	p := &plain{t: t, listener: listener, server: sshdtest.Start(t, sshdtest.Options{IP: ip, AuthorizedKey: key})}
	t.Cleanup(func() { listener.Close(); p.closeAll(); p.endWorkers() })
	go p.serve()
	return p
}

func (p *plain) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server.Addr())
		if err != nil || p.cut.Load() {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		go p.pump(client, server)
		go p.pump(server, client)
	}
}

// pump moves one direction, and swallows what comes while the line is silent.
func (p *plain) pump(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if p.silent.Load() && err == nil {
			continue
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

func (p *plain) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

// unhush ends the silence: what was swallowed is missed by either end.
func (p *plain) unhush() {
	p.closeAll()
	p.silent.Store(false)
}

// processes are those that work in the device's home folder.
func (p *plain) processes() []int {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var pids []int
	for _, link := range links {
		var pid int
		if target, err := os.Readlink(link); err == nil && isWithin(target, p.server.Home) {
			_, _ = fmt.Sscanf(link, "/proc/%d/", &pid)
			pids = append(pids, pid)
		}
	}
	return pids
}

func isWithin(file, folder string) bool {
	return file == folder || len(file) > len(folder) && file[:len(folder)+1] == folder+"/"
}

// endWorkers ends what a test has left running.
func (p *plain) endWorkers() {
	pids := p.processes()
	slices.SortFunc(pids, func(a, b int) int { return supervises(b) - supervises(a) })
	for _, pid := range pids {
		_ = killProcess(pid)
	}
}

// supervises is 1 for a process that starts others again.
func supervises(pid int) int {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if bytes.Contains(line, []byte("\x00supervise\x00")) {
		return 1
	}
	return 0
}
