package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Places go to clients in turn, and to the requests of one client in their order.
func TestTurnsGoRound(t *testing.T) {
	places := newTurns(1)
	if err := places.take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []string
	var group sync.WaitGroup
	waiting := 0
	wait := func(client, name string) {
		group.Go(func() {
			if err := places.take(t.Context(), client); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			places.give()
		})
		waiting++
		for range 10_000 { // until it stands in its line
			places.mu.Lock()
			n := 0
			for _, line := range places.lines {
				n += len(line)
			}
			places.mu.Unlock()
			if n == waiting {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatal("it does not wait")
	}
	for i := range 3 {
		wait("a", fmt.Sprint("a", i))
	}
	wait("b", "b0")
	wait("c", "c0")
	wait("b", "b1")
	places.give()
	group.Wait()
	if diff := cmp.Diff([]string{"a0", "b0", "c0", "a1", "b1", "a2"}, order); diff != "" {
		t.Error(diff)
	}
	if places.taken() != 0 || len(places.lines) != 0 || len(places.clients) != 0 {
		t.Errorf("left over: %d places, %v, %v", places.taken(), places.lines, places.clients)
	}
}

// No place is lost when those who wait give up at the moment of their turn.
func TestTurnsOfThoseWhoLeave(t *testing.T) {
	places := newTurns(3)
	var group sync.WaitGroup
	var got, left atomic.Int64
	for i := range 300 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			switch err := places.take(ctx, fmt.Sprint(i%5)); {
			case err == nil:
				got.Add(1)
				time.Sleep(100 * time.Microsecond)
				places.give()
			case errors.Is(err, context.DeadlineExceeded):
				left.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if places.taken() != 0 || len(places.lines) != 0 || len(places.clients) != 0 {
		t.Errorf("left over: %d places, %v, %v", places.taken(), places.lines, places.clients)
	}
	if got.Load()+left.Load() != 300 {
		t.Errorf("%d got a place and %d left", got.Load(), left.Load())
	}
}

// A client with 64 requests under way does not starve another: between the request
// of the other and its answer, the first stage runs what was in the queues before,
// not all that waits.
func TestGreedyClient(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2, timeout: 30})
	var runs atomic.Int64
	c.engines[0].before = func(byte) error {
		runs.Add(1)
		time.Sleep(2 * time.Millisecond)
		return nil
	}
	a := c.open("127.0.0.1", func(*Access) {})
	c.reshape(func(m *Manifest) {
		if m.Gateway != nil {
			m.Gateway.Stages = 2
		}
	}).start()
	c.makeCurrent(2)
	greedy, modest := grpcClient(t, a.GRPC), grpcClient(t, a.GRPC)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	for range minInFlight {
		group.Go(func() {
			for ctx.Err() == nil {
				if _, err := greedy.ModelInfer(ctx, inferRequest(1)); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for runs.Load() < 2*minInFlight {
		time.Sleep(time.Millisecond)
	}
	for range 5 {
		before := runs.Load()
		if _, err := modest.ModelInfer(ctx, inferRequest(2)); err != nil {
			t.Fatal(err)
		}
		if passed := runs.Load() - before; passed > minInFlight/2 {
			t.Errorf("%d requests of the other client went first", passed)
		}
	}
}

// Who needs several places gets them, though others wait for several and for one.
func TestSeveralPlacesAreNoDeadlock(t *testing.T) {
	places := newTurns(5)
	var group sync.WaitGroup
	var held atomic.Int32
	for k := range 100 {
		group.Go(func() {
			count := 1 + k%5
			leave, err := places.takeAll(t.Context(), fmt.Sprint(k%7), count)
			if err != nil {
				t.Error(err)
				return
			}
			if now := held.Add(int32(count)); now > 5 {
				t.Errorf("%d places of 5 are held", now)
			}
			held.Add(-int32(count))
			leave()
		})
	}
	group.Wait()
	if taken := places.taken(); taken != 0 {
		t.Errorf("%d places were not given back", taken)
	}
}

// Who gives up while waiting for several places gives back those it has.
func TestSeveralPlacesGivenUp(t *testing.T) {
	places := newTurns(2)
	if err := places.take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := places.takeAll(ctx, "b", 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	places.give()
	if leave, err := places.takeAll(t.Context(), "c", 2); err != nil {
		t.Error(err)
	} else {
		leave()
	}
}
