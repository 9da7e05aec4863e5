// Package relay stands for a link of a limited rate, where benchmarks run devices on one
// machine.
package relay

import (
	"io"
	"net"
	"sync"
	"time"
)

// Relay is one direction of a link: what connects to it reaches the target at a limited
// rate. Answers come back without a limit, since between workers they are a few bytes.
type Relay struct {
	listener net.Listener
	target   string
	pace     *pace
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// Slack is what a relay passes on at once after a pause, in seconds at its rate: as much as a
// timer is late on a busy machine.
const Slack = 20 * time.Millisecond

// New makes a relay to a target, host:port, at a rate in bytes per second. It is up to the caller to
// close it.
func New(target string, rate float64, slack time.Duration) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: listener, target: target, pace: &pace{rate: rate, slack: slack}, open: map[net.Conn]bool{}}
	go r.accept()
	return r, nil
}

// SetRate changes the rate, in bytes per second.
func (r *Relay) SetRate(rate float64) {
	r.pace.mu.Lock()
	defer r.pace.mu.Unlock()
	r.pace.rate = rate
}

// Address is where to connect to, host:port.
func (r *Relay) Address() string { return r.listener.Addr().String() }

func (r *Relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.join(conn)
	}
}

func (r *Relay) join(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer to.Close()
	r.note(from, to)
	// Buffers are as the system makes them: a device's kernel takes bytes in also while its
	// programs wait for their share of the processor.
	go func() {
		_, _ = io.Copy(from, to)
		from.Close()
	}()
	r.forward(to, from)
}

func (r *Relay) note(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.open[c] = true
	}
}

// piece is how many bytes pass at once: what passes in 1.5 ms, about as fine as Go's timers,
// and a packet at least. Where it is much more, the end of a message waits for the beginning of
// the next one.
func (p *pace) piece() int {
	const packet, most = 1500, 16 << 10
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(min(max(packet, p.rate*0.0015), most))
}

func (r *Relay) forward(to io.Writer, from io.Reader) {
	buffer := make([]byte, r.pace.piece())
	for {
		n, err := from.Read(buffer)
		r.pace.wait(n)
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// Close ends the relay and its connections.
func (r *Relay) Close() {
	r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		c.Close()
	}
}

// pace lets bytes through at a rate: a token bucket that holds its slack.
type pace struct {
	rate  float64 // bytes per second
	slack time.Duration
	mu    sync.Mutex
	due   time.Time
}

func (p *pace) wait(n int) {
	p.mu.Lock()
	if earliest := time.Now().Add(-p.slack); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	due := p.due
	p.mu.Unlock()
	time.Sleep(time.Until(due))
}
