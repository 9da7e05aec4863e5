// Package device is a device inside this process: an SSH server with exec and
// SFTP, whose home is a folder. Demos and tests deploy to it as to any other
// machine; commands run as the user who started it, without any isolation.
package device

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// handshakeTimeout bounds a connection until it is authenticated.
const handshakeTimeout = 30 * time.Second

// Options say what a device is like. Address, Home and AuthorizedKey are required.
type Options struct {
	// Address to listen on, as 127.0.0.11:0; port 0 takes a free one.
	Address string
	// Home is the folder where sessions start. It is made when it is missing.
	Home string
	// AuthorizedKey may log in, under any user name.
	AuthorizedKey ssh.PublicKey
	// HostKeys of the server; none means one new Ed25519 key.
	HostKeys []ssh.Signer
	// SFTPServer is a program that serves SFTP on its standard input and output,
	// as OpenSSH's sftp-server; "" serves it in this process.
	SFTPServer string
	// FreeBytes limits what may still be written over SFTP; 0 does not limit it.
	FreeBytes int64
	// Fault decides about every operation before it is done; nil lets all pass.
	Fault func(Operation) Action
}

// Device is a running device.
type Device struct {
	home       string
	sftpServer string
	hostKey    ssh.PublicKey
	config     *ssh.ServerConfig
	listener   net.Listener
	faults     faults
	serving    sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]bool
	sessions map[*session]bool
}

// Start starts a device.
func Start(o Options) (*Device, error) {
	if o.AuthorizedKey == nil {
		return nil, errors.New("device: no authorised key")
	}
	home, err := makeHome(o.Home)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	keys, err := hostKeys(o.HostKeys)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	d := &Device{home: home, sftpServer: o.SFTPServer, hostKey: keys[0].PublicKey(), listener: listener,
		config: serverConfig(o.AuthorizedKey, keys), conns: map[net.Conn]bool{}, sessions: map[*session]bool{}}
	d.faults.decide, d.faults.limited, d.faults.free = o.Fault, o.FreeBytes > 0, o.FreeBytes
	d.serving.Add(1)
	go d.accept()
	return d, nil
}

// makeHome gives the absolute folder without symbolic links, as a shell sees it.
func makeHome(path string) (string, error) {
	if path == "" {
		return "", errors.New("no home folder")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func hostKeys(given []ssh.Signer) ([]ssh.Signer, error) {
	if len(given) > 0 {
		return given, nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	return []ssh.Signer{signer}, err
}

func serverConfig(authorized ssh.PublicKey, keys []ssh.Signer) *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-edgeplan-device",
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), authorized.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("the key is not authorised")
		},
	}
	for _, key := range keys {
		config.AddHostKey(key)
	}
	return config
}

// Addr is the host:port the device listens on.
func (d *Device) Addr() string { return d.listener.Addr().String() }

// HostKeyLine is the host key as an authorized_keys line: "ssh-ed25519 AAAA…".
func (d *Device) HostKeyLine() string {
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(d.hostKey)))
}

// Home is the folder where sessions start.
func (d *Device) Home() string { return d.home }

// Close ends all sessions and what still runs in them. Processes that detached
// themselves (setsid) go on.
func (d *Device) Close() error {
	err := d.listener.Close()
	d.mu.Lock()
	d.closed = true
	for conn := range d.conns {
		conn.Close()
	}
	for s := range d.sessions {
		s.kill()
	}
	d.mu.Unlock()
	d.serving.Wait()
	return err
}

// Disconnect cuts all connections; the device goes on listening.
func (d *Device) Disconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.conns {
		conn.Close()
	}
}

func (d *Device) accept() {
	defer d.serving.Done()
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		if !d.track(conn) {
			conn.Close()
			return
		}
		d.serving.Add(1)
		go func() {
			defer d.serving.Done()
			defer d.forget(conn)
			d.serve(conn)
		}()
	}
}

func (d *Device) track(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.conns[conn] = true
	}
	return !d.closed
}

func (d *Device) forget(conn net.Conn) {
	conn.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, conn)
}

// serve runs one connection until it ends.
func (d *Device) serve(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	server, channels, requests, err := ssh.NewServerConn(conn, d.config)
	if err != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	go ssh.DiscardRequests(requests) // answers keepalives; forwards nothing
	var sessions sync.WaitGroup
	for channel := range channels {
		if channel.ChannelType() != "session" {
			_ = channel.Reject(ssh.Prohibited, "only sessions are served here")
			continue
		}
		opened, requests, err := channel.Accept()
		if err != nil {
			continue
		}
		s := &session{device: d, channel: opened, conn: server}
		sessions.Add(1)
		go func() { defer sessions.Done(); d.run(s, requests) }()
	}
	sessions.Wait()
}

// run serves one session, known to Close as long as it runs something.
func (d *Device) run(s *session, requests <-chan *ssh.Request) {
	d.mu.Lock()
	d.sessions[s] = true
	s.ended = d.closed
	d.mu.Unlock()
	s.serve(requests)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, s)
}
