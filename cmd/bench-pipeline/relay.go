package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// relay is one direction of a link: what connects to it reaches the target at a limited
// rate. Answers come back without a limit, since between workers they are a few bytes.
type relay struct {
	listener net.Listener
	target   string
	pace     *pace
	mu       sync.Mutex
	open     map[net.Conn]bool
}

func newRelay(target string, p *pace) (*relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: listener, target: target, pace: p, open: map[net.Conn]bool{}}
	go r.accept()
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.join(conn)
	}
}

func (r *relay) join(from net.Conn) {
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

func (r *relay) note(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.open[c] = true
	}
}

// chunk is how many bytes pass at once.
const chunk = 16 << 10

func (r *relay) forward(to io.Writer, from io.Reader) {
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		r.pace.wait(n)
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (r *relay) close() {
	r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		c.Close()
	}
}

// pace lets bytes through at a rate: a token bucket that holds some milliseconds, as much
// as a timer is late.
type pace struct {
	rate float64 // bytes per second
	mu   sync.Mutex
	due  time.Time
}

func paceOf(mbps float64) *pace { return &pace{rate: mbps * 1e6 / 8} }

const slack = 20 * time.Millisecond

func (p *pace) wait(n int) {
	p.mu.Lock()
	if earliest := time.Now().Add(-slack); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	due := p.due
	p.mu.Unlock()
	time.Sleep(time.Until(due))
}
