package deployer

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxHandshake is what a server may send until a connection is authenticated. A
// handshake takes some 5 KB, and a banner of a few screens is none of our concern.
const maxHandshake = 1 << 20

var errTooMuch = errors.New("it sent more than 1 MiB and did not finish the SSH handshake")

// epoch is what times are counted from, by the clock that nobody sets.
var epoch = time.Now()

// watchedConn remembers when something was last received, and what came first.
type watchedConn struct {
	net.Conn
	received atomic.Int64 // nanoseconds since epoch
	most     atomic.Int64 // bytes to read; 0 for any

	acked uint64    // bytes that were acknowledged by the last look; for life alone
	took  time.Time // when they last were more, and more to come

	mu    sync.Mutex
	count int64
	first []byte
}

// maxGreeting is how much of the beginning is kept: a server's identification
// has at most 255 characters (RFC 4253 section 4.2).
const maxGreeting = 255

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.received.Store(int64(time.Since(epoch)))
	}
	most := c.most.Load()
	if most == 0 {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count += int64(n)
	c.first = append(c.first, p[:min(n, maxGreeting-len(c.first))]...)
	if c.count > most {
		return 0, errTooMuch
	}
	return n, err
}

// life is the last sign of the other end, asked if there is none since then: that something
// was received or, while more is on its way there, acknowledged by the system at the other end.
// Once that has all, an answer is due. One at a time may call it, every now and then.
func (c *watchedConn) life(asked time.Time) time.Time {
	acked, more := acknowledged(c.Conn)
	if more && acked != c.acked {
		c.took = time.Now()
	}
	c.acked = acked
	last := epoch.Add(time.Duration(c.received.Load()))
	for _, at := range []time.Time{c.took, asked} {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// greeting is what came first.
func (c *watchedConn) greeting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.first)
}

// clock closes a connection after a time, unless it is stopped before. A
// deadline of the connection would do for TCP, and not for what a jump host forwards.
type clock struct {
	limit time.Duration
	timer *time.Timer
	rang  atomic.Bool
}

func startClock(conn net.Conn, limit time.Duration) *clock {
	c := &clock{limit: limit}
	c.timer = time.AfterFunc(limit, func() {
		c.rang.Store(true)
		conn.Close()
	})
	return c
}

func (c *clock) stop()         { c.timer.Stop() }
func (c *clock) pause()        { c.timer.Stop() }
func (c *clock) resume()       { c.timer.Reset(c.limit) }
func (c *clock) expired() bool { return c.rang.Load() }
