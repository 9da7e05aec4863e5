package deployer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Connections are SSH connections that are shared: one to each device and jump
// host, whatever asks for it and however often. Given in Options they last from
// call to call until they are closed, and so do the keys that were unlocked.
type Connections struct {
	keys *keyring
	keep bool // those that nobody uses

	mu      sync.Mutex
	entries map[string]*entry // by the way there
}

// entry is the connection to one server, or the attempt to make it.
type entry struct {
	hops  int
	users int // under the mutex of Connections

	turn   chan struct{} // held by who connects, or looks at the rest
	link   *link         // nil before
	failed error         // of a jump host: the last attempt
	tried  time.Time     // when that was
}

// NewConnections gives connections that last until Close.
func NewConnections() *Connections { return newConnections(true) }

func newConnections(keep bool) *Connections {
	return &Connections{keys: newKeyring(), keep: keep, entries: map[string]*entry{}}
}

// Close ends all connections, devices before the hosts they are reached through.
func (c *Connections) Close() {
	c.mu.Lock()
	entries := make([]*entry, 0, len(c.entries))
	for _, e := range c.entries {
		entries = append(entries, e)
	}
	c.entries = map[string]*entry{}
	c.mu.Unlock()
	slices.SortFunc(entries, func(a, b *entry) int { return b.hops - a.hops })
	for _, e := range entries {
		e.close()
	}
}

func (e *entry) close() {
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if e.link != nil {
		e.link.close()
	}
}

// wayKey tells ways apart that are not connected alike.
func wayKey(hops []hop) string { return fmt.Sprintf("%#v", hops) }

// acquire gives the connection to the last hop, made if there is none. What is
// acquired has to be released.
func (c *Connections) acquire(ctx context.Context, hops []hop, o Options) (*link, error) {
	return c.enter(ctx, hops, func(e *entry) (*link, error) { return c.dial(ctx, hops, o) })
}

// acquireJump is acquire for a host to pass through. Many devices may be behind
// it, and not each of them waits anew when it cannot be reached.
func (c *Connections) acquireJump(ctx context.Context, hops []hop, o Options) (*link, error) {
	l, err := c.enter(ctx, hops, func(e *entry) (*link, error) {
		if e.failed != nil && time.Since(e.tried) < notAgain {
			return nil, e.failed
		}
		l, err := c.dial(ctx, hops, o)
		if ctx.Err() == nil {
			e.failed, e.tried = err, time.Now()
		}
		return l, err
	})
	if err != nil && ctx.Err() == nil {
		return nil, &JumpError{Jump: hops[len(hops)-1].address(), Err: err}
	}
	return l, err
}

func (c *Connections) enter(ctx context.Context, hops []hop, dial func(*entry) (*link, error)) (*link, error) {
	key := wayKey(hops)
	c.mu.Lock()
	e := c.entries[key]
	if e == nil {
		e = &entry{hops: len(hops), turn: make(chan struct{}, 1)}
		c.entries[key] = e
	}
	e.users++
	c.mu.Unlock()
	l, err := e.get(ctx, dial)
	if err != nil {
		c.release(hops)
	}
	return l, err
}

func (e *entry) get(ctx context.Context, dial func(*entry) (*link, error)) (*link, error) {
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-e.turn }()
	if e.link != nil && e.link.lost() == nil {
		return e.link, nil
	}
	if e.link != nil {
		e.link.close()
		e.link = nil
	}
	l, err := dial(e)
	if err == nil {
		e.link = l
	}
	return l, err
}

// release gives back what was acquired. The last to do so ends the connection,
// unless it is kept. A jump host's failure is kept as well.
func (c *Connections) release(hops []hop) {
	key := wayKey(hops)
	c.mu.Lock()
	e := c.entries[key]
	if e == nil { // all were closed
		c.mu.Unlock()
		return
	}
	e.users--
	last := e.users == 0 && !c.keep
	if last && e.failed == nil {
		delete(c.entries, key)
	}
	c.mu.Unlock()
	if last {
		e.close()
	}
}
