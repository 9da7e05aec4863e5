package worker

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc/peer"
)

// turns are a number of places that clients share. When all are taken, those who
// wait stand in one line for each client, and a place that becomes free goes to
// the lines in turn. So a client with many requests under way delays the next
// one of another client by one request and not by all of its own.
type turns struct {
	mu      sync.Mutex
	places  int
	free    int
	lines   map[string][]chan struct{} // by client, the oldest first; closed when it is its turn
	clients []string                   // those with a line; the first is next
	several chan struct{}              // held by who waits for more than one place
}

func newTurns(places int) *turns {
	return &turns{places: places, free: places, lines: map[string][]chan struct{}{}, several: make(chan struct{}, 1)}
}

// take waits for a place, which give frees again, until ctx ends.
func (t *turns) take(ctx context.Context, client string) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if len(t.lines[client]) == 0 {
		t.clients = append(t.clients, client)
	}
	t.lines[client] = append(t.lines[client], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		t.leave(client, turn)
		return ctx.Err()
	}
}

// takeAll waits for several places, at most all there are, until ctx ends; leave gives
// them back. One caller at a time waits for more than one, so that no two keep from each
// other what they lack.
func (t *turns) takeAll(ctx context.Context, client string, count int) (leave func(), err error) {
	if count > 1 {
		select {
		case t.several <- struct{}{}:
			defer func() { <-t.several }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for taken := range count {
		if err := t.take(ctx, client); err != nil {
			t.giveBack(taken)
			return nil, err
		}
	}
	return func() { t.giveBack(count) }, nil
}

func (t *turns) giveBack(count int) {
	for range count {
		t.give()
	}
}

// give frees a place.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.clients) == 0 {
		t.free++
		return
	}
	client := t.clients[0]
	line := t.lines[client]
	close(line[0])
	t.clients = t.clients[1:]
	t.lines[client] = line[1:]
	if len(line) > 1 {
		t.clients = append(t.clients, client)
	} else {
		delete(t.lines, client)
	}
}

// leave gives up waiting; a turn that came at the same moment passes on.
func (t *turns) leave(client string, turn chan struct{}) {
	t.mu.Lock()
	at := slices.Index(t.lines[client], turn)
	if at >= 0 {
		t.lines[client] = slices.Delete(t.lines[client], at, at+1)
		if len(t.lines[client]) == 0 {
			delete(t.lines, client)
			t.clients = slices.DeleteFunc(t.clients, func(c string) bool { return c == client })
		}
	}
	t.mu.Unlock()
	if at < 0 {
		t.give()
	}
}

// taken is how many places are in use.
func (t *turns) taken() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.places - t.free
}

// clientOf tells clients apart by their connection; callers over the Unix socket
// count as one.
func clientOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}
