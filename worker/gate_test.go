package worker

import (
	"net"
	"testing"
	"time"
)

// Idle connections of strangers do not keep a neighbour from coming back.
func TestStrangersDoNotLockNeighboursOut(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2}).start()
	if err := inferMany(c.client(2), 2, 8, 1); err != nil {
		t.Fatal(err)
	}
	for range 140 {
		idle, err := net.Dial("tcp", c.manifests[1].Listen)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	if err := inferMany(c.client(2), 2, 8, 1); err != nil {
		t.Errorf("a neighbour that is connected: %v", err)
	}
	c.stopOne(0)
	c.startOne(0)
	begin := time.Now()
	if err := inferMany(c.client(2), 2, 8, 1); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v to connect again", took)
	}
}

// gated is a gate on a local port.
func gated(t *testing.T, limit int) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return newGate(l, limit)
}

// enter opens a connection from an address of this machine.
func (g *gate) enter(t *testing.T, from string) (client net.Conn, server *guest) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Second}
	client, err := d.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := g.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); conn.Close() })
	return client, conn.(*guest)
}

// open tells whether the server has left a connection open.
func open(client net.Conn) bool {
	client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := client.Read(make([]byte, 1))
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func TestGateCutsTheOldestOfTheBusiestAddress(t *testing.T) {
	g := gated(t, 3)
	shy, _ := g.enter(t, "127.0.0.1")
	in, guest := g.enter(t, "127.0.0.2")
	if err := guest.admit(); err != nil {
		t.Fatal(err)
	}
	var pushy []net.Conn
	for range 4 {
		client, _ := g.enter(t, "127.0.0.2")
		pushy = append(pushy, client)
	}
	for name, test := range map[string]struct {
		conn net.Conn
		open bool
	}{
		"the only one of its address": {shy, true},
		"admitted":                    {in, true},
		"oldest":                      {pushy[0], false},
		"second":                      {pushy[1], false},
		"third":                       {pushy[2], true},
		"newest":                      {pushy[3], true},
	} {
		if open(test.conn) != test.open {
			t.Errorf("%s: open is %v", name, !test.open)
		}
	}
}

func TestGateFreesPlaces(t *testing.T) {
	g := gated(t, 2)
	_, a := g.enter(t, "127.0.0.1")
	_, b := g.enter(t, "127.0.0.1")
	_, c := g.enter(t, "127.0.0.1") // cuts a, whose place is free
	if a.admit(); b.admit() != nil || c.admit() == nil {
		t.Error("two are let in, and no more")
	}
	for _, conn := range []*guest{a, b, b} {
		conn.Close()
	}
	if g.admitted != 0 {
		t.Errorf("%d places are taken", g.admitted)
	}
	if err := c.admit(); err != nil {
		t.Errorf("a place was free: %v", err)
	}
}
