package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// DialWorker connects to the control socket of a deployed model's worker on a
// node, through SSH. Closing the connection closes SSH as well.
func DialWorker(ctx context.Context, state *statefile.State, model, node string, o Options) (net.Conn, error) {
	known, ok := state.Nodes[node]
	if !ok {
		return nil, fmt.Errorf("%s is not in the state: nothing is deployed there", node)
	}
	d := newDevice(node, known, o.withDefaults())
	conn, err := d.dialCurrent(ctx, known.Path, model, state.Lineage)
	if err != nil {
		d.close()
		return nil, d.failed(err)
	}
	return &closing{conn, d}, nil
}

// closing closes a device with a connection to it.
type closing struct {
	net.Conn
	device *device
}

func (c *closing) Close() error {
	err := c.Conn.Close()
	c.device.close()
	return err
}

func (d *device) dialCurrent(ctx context.Context, folder, model, lineage string) (net.Conn, error) {
	s, err := siteOf(ctx, d, folder, lineage)
	if err != nil {
		return nil, err
	}
	return s.proxy(ctx, s.current(DeploymentName(model, lineage)))
}

// proxy connects to the worker of a release folder: its program there copies
// between standard input and output and the control socket.
func (s *site) proxy(ctx context.Context, dir string) (net.Conn, error) {
	l, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	p := &proxied{link: l, stderr: &bounded{limit: maxStderr}}
	var in io.WriteCloser
	p.session, err = l.openSession(ctx, s.o.AnswerTimeout, func(session *ssh.Session) (err error) {
		session.Stderr = p.stderr
		if in, err = session.StdinPipe(); err == nil {
			p.out, err = session.StdoutPipe()
		}
		if err != nil {
			return err
		}
		return session.Start(l.command([]string{path.Join(dir, worker.ProgramFile), "proxy", dir}))
	})
	if err != nil {
		return nil, err
	}
	return worker.Pipe(p, in, p.Close), nil
}

// proxied is the output of a proxy, whose end comes with its reason.
type proxied struct {
	link    *link
	session *ssh.Session
	out     io.Reader
	stderr  *bounded
}

func (p *proxied) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err != nil && n == 0 {
		err = p.reason(err)
	}
	return n, err
}

// reason is why the proxy ended, as far as it or the connection tells.
func (p *proxied) reason(err error) error {
	if lost := p.link.lost(); lost != nil {
		return lost
	}
	if errors.Is(err, io.EOF) {
		_ = p.session.Wait() // standard error is complete then
		if text := strings.TrimSpace(p.stderr.String()); text != "" {
			return fmt.Errorf("the device said: %s", text)
		}
	}
	return err
}

func (p *proxied) Close() error {
	err := p.session.Close()
	if errors.Is(err, io.EOF) { // it has ended by itself
		return nil
	}
	return err
}
