package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/load"
)

// An image of 224 by 224 pixels in float32 takes 602112 bytes, and clients send more of
// them at once than a gateway of 30 MiB has room for: those that have no place are not
// read, and all are answered.
func TestGatewayKeepsToItsMemory(t *testing.T) {
	const image, requests = 602112, 16
	c := newCluster(t, layout{stages: 1, gateway: 1, elements: image, timeout: 30})
	c.reshape(func(m *Manifest) {
		if m.Gateway != nil {
			m.MemoryBytes = raceMemory * (20<<20 + requests*image)
			m.Gateway.Stages, m.Gateway.Requests = 1, requests
		}
	})
	s := startSoak(t, c)
	client, pid := c.client(c.gateway()), s.pids[c.gateway()]
	most := mostHeld(pid)
	result := load.Run(t.Context(), load.Options{Duration: 3 * time.Second, Concurrency: minInFlight}, func(ctx context.Context) error {
		_, err := client.Infer(ctx, testModel, testRelease, request(image, 1))
		return err
	})
	t.Logf("%d answers; the gateway held %.1f MiB at most", result.Answered, float64(most())/(1<<20))
	if result.Failed > 0 || result.Answered == 0 {
		t.Errorf("%d answers and %d failures; the first: %v", result.Answered, result.Failed, result.FirstError)
	}
	if status, err := ReadStatus(c.workers[c.gateway()].dir); err != nil || status.PID != pid {
		t.Errorf("the gateway was started anew: %+v, %v", status, err)
	}
}

// mostHeld watches what a process holds, in bytes, until it is asked.
func mostHeld(pid int) (most func() int64) {
	done, answer := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			select {
			case <-done:
				answer <- most
				return
			case <-time.After(20 * time.Millisecond):
				if held, err := heldMemory(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
					most = max(most, held)
				}
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-answer
	}
}

// Who waits for a place in vain is told for how long, and is counted; who gets one later took that long.
func TestWaitingForAPlaceIsCounted(t *testing.T) {
	m := Manifest{Model: testModel, Release: testRelease, Node: "node.n0", Gateway: &Gateway{Requests: 1, TimeoutSeconds: 60}}
	g := newGateway(m, defaultRetry, newMetrics(m))
	_, leave, err := g.hold(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, _, err := g.hold(short, 0); status.Code(err) != codes.ResourceExhausted || strings.Contains(err.Error(), "1m0s") {
		t.Errorf("error %v", err)
	}
	var counted dto.Metric
	if err := g.counts.answers.WithLabelValues(codes.ResourceExhausted.String()).Write(&counted); err != nil || counted.GetCounter().GetValue() != 1 {
		t.Errorf("counted is %v, %v", &counted, err)
	}
	const wait = 20 * time.Millisecond
	go func() {
		for someoneWaits := false; !someoneWaits; time.Sleep(time.Millisecond) {
			g.places.mu.Lock()
			someoneWaits = len(g.places.clients) > 0
			g.places.mu.Unlock()
		}
		time.Sleep(wait)
		leave()
	}()
	held, leaveToo, err := g.hold(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer leaveToo()
	if waited := waitedFor(held); waited < wait {
		t.Errorf("it waited for %v", waited)
	}
}
