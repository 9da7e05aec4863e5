package worker

import (
	"errors"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc/credentials"
)

// gate is a listener that strangers cannot fill. Connections count apart until
// their TLS handshake has shown a neighbour's key: when there are too many, the
// oldest of the address that has most of them is cut, so a neighbour always gets
// its turn. Those that are through are bounded on their own.
type gate struct {
	net.Listener
	limit int

	mu       sync.Mutex
	waiting  []*guest // without a finished handshake, the oldest first
	admitted int
}

func newGate(l net.Listener, limit int) *gate { return &gate{Listener: l, limit: limit} }

// Accept waits for the next connection and may cut an older one for it.
func (g *gate) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &guest{Conn: conn, gate: g, host: hostOf(conn)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
	if len(g.waiting) > g.limit {
		g.cut()
	}
	return c, nil
}

func hostOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// cut ends one of those that wait.
func (g *gate) cut() {
	counts, victim := map[string]int{}, g.waiting[0]
	for _, c := range g.waiting {
		counts[c.host]++
	}
	for _, c := range g.waiting {
		if counts[c.host] > counts[victim.host] {
			victim = c
		}
	}
	g.remove(victim)
	victim.Conn.Close() // whoever does the handshake sees it fail
}

func (g *gate) remove(c *guest) {
	g.waiting = slices.DeleteFunc(g.waiting, func(w *guest) bool { return w == c })
}

// guest is a connection that has come through a gate.
type guest struct {
	net.Conn
	gate *gate
	host string
	in   bool // its handshake is done
}

// admit counts the connection among the neighbours', if there is room.
func (c *guest) admit() error {
	g := c.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.admitted >= g.limit {
		return errors.New("the neighbours have too many connections open")
	}
	g.remove(c)
	g.admitted++
	c.in = true
	return nil
}

// Close ends the connection and frees its place.
func (c *guest) Close() error {
	g := c.gate
	g.mu.Lock()
	if c.in {
		c.in = false
		g.admitted--
	}
	g.remove(c)
	g.mu.Unlock()
	return c.Conn.Close()
}

// admission tells the gate whose handshake is done.
type admission struct {
	credentials.TransportCredentials
}

// ServerHandshake does that of TLS.
func (a admission) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := a.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	if c, ok := raw.(*guest); ok {
		if err := c.admit(); err != nil {
			return nil, nil, errors.Join(err, conn.Close())
		}
	}
	return conn, info, nil
}

// Clone keeps the copy an admission.
func (a admission) Clone() credentials.TransportCredentials {
	return admission{a.TransportCredentials.Clone()}
}
