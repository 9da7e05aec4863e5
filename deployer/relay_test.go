package deployer

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// relay stands before a node, counts what goes there, and makes of the loopback
// interface a line with a rate and a delay, both ways.
type relay struct {
	target string
	rate   float64       // bytes per second; 0 is no limit
	delay  time.Duration // one way
	sent   atomic.Int64  // bytes to the device
	cutAt  atomic.Int64  // bytes to the device after which connections are cut; 0 is never
	holdAt atomic.Int64  // bytes to the device after which nothing goes there before resume is closed; 0 is never
	resume chan struct{}

	mu    sync.Mutex
	conns []net.Conn
}

// through makes a node be reached through a relay.
func (c *cluster) through(node string, rate float64, delay time.Duration) *relay {
	c.t.Helper()
	known := c.nodes[node]
	r := &relay{target: net.JoinHostPort(known.SSH.Host, fmt.Sprint(known.SSH.Port)), rate: rate, delay: delay}
	at, stop, err := r.listen()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(stop)
	known.SSH.Host, known.SSH.Port = at.IP.String(), at.Port
	c.nodes[node] = known
	return r
}

func (r *relay) listen() (at *net.TCPAddr, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	go r.serve(listener)
	return listener.Addr().(*net.TCPAddr), func() { listener.Close(); r.close() }, nil
}

func (r *relay) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, client, server)
		r.mu.Unlock()
		go r.pump(server, client, &r.sent)
		go r.pump(client, server, nil)
	}
}

// segment is what is under way.
type segment struct {
	at   time.Time // when it arrives
	data []byte
}

// queued are how many segments a line holds: at 100 Mbit/s and 20 ms it has 16 under way.
const queued, segmentBytes = 64, 16 << 10

// lateness is how late this program may come to a segment without the line being the slower for
// it: a real one does not wait for a processor.
const lateness = 20 * time.Millisecond

// pump moves one direction until either side ends.
func (r *relay) pump(to, from net.Conn, counted *atomic.Int64) {
	line := make(chan segment, queued)
	go func() {
		defer to.Close()
		for s := range line {
			time.Sleep(time.Until(s.at))
			if _, err := to.Write(s.data); err != nil {
				from.Close()
			}
		}
	}()
	defer close(line)
	free := time.Now() // when the line can take the next segment
	for {
		data := make([]byte, segmentBytes)
		n, err := from.Read(data)
		if err != nil || r.cut(counted, n) {
			return
		}
		if earliest := time.Now().Add(-lateness); free.Before(earliest) {
			free = earliest
		}
		if r.rate > 0 {
			free = free.Add(time.Duration(float64(n) / r.rate * float64(time.Second)))
		}
		time.Sleep(time.Until(free))
		line <- segment{free.Add(r.delay), data[:n]}
	}
}

// cut counts, and cuts the connections when it is time.
func (r *relay) cut(counted *atomic.Int64, n int) bool {
	if counted == nil {
		return false
	}
	sent := counted.Add(int64(n))
	if hold := r.holdAt.Load(); hold > 0 && sent > hold {
		<-r.resume
	}
	limit := r.cutAt.Load()
	if limit > 0 && sent > limit {
		r.close()
		return true
	}
	return false
}

func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
	r.conns = nil
}
