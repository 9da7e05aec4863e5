package worker

import (
	"context"
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/load"
)

var soak = flag.Duration("soak", 6*time.Second, "how long TestSoak overloads a pipeline")

// A pipeline that is asked for twice what it can do goes on doing what it can: requests
// without a place wait in the client or are refused for a reason, and neither memory nor
// latency grows.
func TestSoak(t *testing.T) {
	const computes = 5 * time.Millisecond
	c := newCluster(t, layout{stages: 3, gateway: 0, elements: 20_000, timeout: 2})
	for _, e := range c.engines {
		e.before = func(byte) error { time.Sleep(computes); return nil }
	}
	c.reshape(func(m *Manifest) {
		if m.Gateway != nil {
			m.Gateway.Stages = 3
		}
	}).start()
	client := c.client(0)
	const windows = 4
	options := load.Options{Duration: *soak / windows, Concurrency: minInFlight, Rate: 2 / computes.Seconds()}
	var rates, heaps []float64
	var p99s []time.Duration
	for range windows + 1 { // the first warms up
		var mu sync.Mutex
		var took []time.Duration // in the pipeline; load counts from when a request was due
		result := load.Run(t.Context(), options, func(ctx context.Context) error {
			begin := time.Now()
			_, err := client.Infer(ctx, testModel, testRelease, request(20_000, byte(rand.Uint32())))
			mu.Lock()
			took = append(took, time.Since(begin))
			mu.Unlock()
			if code := status.Code(err); err != nil && code != codes.DeadlineExceeded && code != codes.ResourceExhausted {
				t.Errorf("after %v: %v", time.Since(begin), err)
			}
			return err
		})
		for _, e := range c.engines { // the test's own memory
			e.mu.Lock()
			e.seen = nil
			e.mu.Unlock()
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		rates, heaps = append(rates, result.Throughput()), append(heaps, float64(m.HeapAlloc))
		t.Logf("%.1f/s, %d failed, p50 %v, heap %.1f MiB, %d goroutines", result.Throughput(), result.Failed, result.Quantile(0.5), float64(m.HeapAlloc)/(1<<20), runtime.NumGoroutine())
		slices.Sort(took)
		p99s = append(p99s, took[len(took)*99/100])
	}
	rates, heaps = rates[1:], heaps[1:]
	t.Logf("throughput: last/first window %.3f; heap: last/first %.3f; p99 by window %v", rates[windows-1]/rates[0], heaps[windows-1]/heaps[0], p99s)
	if longest := slices.Max(p99s[1:]); longest > 3*time.Second { // the timeout, and a margin
		t.Errorf("requests took %v", longest)
	}
	if grown := heaps[windows-1] - slices.Min(heaps); grown > 0.05*slices.Min(heaps)+2<<20 {
		t.Errorf("memory grew: %v bytes", heaps)
	}
}
