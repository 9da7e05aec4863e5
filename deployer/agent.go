package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentClient is a connection to the SSH agent, made when its keys are asked for.
type agentClient struct {
	socket  string        // "" for no agent
	limit   time.Duration // for telling the keys
	stop    func() bool   // watching the context
	problem error         // why its keys are not known

	mu     sync.Mutex
	conn   net.Conn // nil while it is not asked
	closed bool
}

func newAgentClient(ctx context.Context, socket string, limit time.Duration) *agentClient {
	a := &agentClient{socket: socket, limit: limit}
	a.stop = context.AfterFunc(ctx, a.end)
	return a
}

// close ends the connection.
func (a *agentClient) close() {
	a.stop()
	a.end()
}

func (a *agentClient) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.conn != nil {
		a.conn.Close()
	}
}

// signWithin limits how long the agent may take from now on.
func (a *agentClient) signWithin(limit time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil {
		_ = a.conn.SetDeadline(time.Now().Add(limit))
	}
}

// keys are those the agent holds; none when there is no agent.
func (a *agentClient) keys() ([]ssh.Signer, error) {
	if a.socket == "" {
		return nil, nil
	}
	signers, err := a.ask()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", a.limit)
	}
	a.problem = err
	return signers, err
}

func (a *agentClient) ask() ([]ssh.Signer, error) {
	conn, err := net.DialTimeout("unix", a.socket, a.limit)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.conn = conn
	if a.closed {
		conn.Close()
	}
	a.mu.Unlock()
	watched := &agentConn{Conn: conn}
	_ = conn.SetDeadline(time.Now().Add(a.limit))
	signers, err := agent.NewClient(watched).Signers()
	if err != nil && watched.err != nil {
		err = watched.err // the client keeps its text only
	}
	return signers, err
}

// agentConn keeps why reading from the agent failed.
type agentConn struct {
	net.Conn
	err error
}

func (c *agentConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.err = err
	}
	return n, err
}
