package worker

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/load"
)

var soak = flag.Duration("soak", 6*time.Second, "how long TestSoak overloads a pipeline")

// soakComputes is how long the engines of a soak take for a request.
const soakComputes = 5 * time.Millisecond

// soakWindows are compared with one another, to the figures of docs where they take minutes.
const (
	soakWindows = 4
	soakStrict  = 4 * time.Minute
)

// A pipeline that is asked for twice what it can do goes on doing what it can: requests
// without a place wait in the client or are refused for a reason, and neither memory nor
// latency grows. Workers are processes of their own, so that nothing of the test counts.
func TestSoak(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 0, elements: 20_000, timeout: 2})
	c.reshape(func(m *Manifest) {
		if m.Gateway != nil {
			m.Gateway.Stages = 3
		}
	})
	s := startSoak(t, c)
	client := c.client(0)
	var rates []float64
	var p99s []time.Duration
	var used []memoryUse
	for range soakWindows + 1 { // the first warms up
		resident := s.sampleResident()
		result, took := overload(t, client)
		use := memoryUse{resident: resident(), heap: s.leastHeap()}
		rates, used, p99s = append(rates, result.Throughput()), append(used, use), append(p99s, p99(took))
		t.Logf("%.1f/s, %d failed, p99 %v, %s", result.Throughput(), result.Failed, p99s[len(p99s)-1], use)
	}
	rates, used, p99s = rates[1:], used[1:], p99s[1:]
	first, last := used[0], used[soakWindows-1]
	t.Logf("last/first window: throughput %.3f, resident memory %.3f, heap %.3f; p99 by window %v",
		rates[soakWindows-1]/rates[0], last.resident/first.resident, last.heap/first.heap, p99s)
	strict := *soak >= soakStrict
	margin := 20 * time.Second // a busy machine
	if strict {
		margin = time.Second
	}
	if longest := slices.Max(p99s); longest > 2*time.Second+margin { // the timeout, and a margin
		t.Errorf("requests took %v", longest)
	}
	resident, heap := grew(0.5, 64<<20), grew(0.5, 8<<20) // windows of seconds tell of a leak of whole requests, and of no less
	if strict {
		resident, heap = grew(0.05, 1<<20), grew(0.05, 1<<20) // more than moves from one collection to the next
	}
	if resident(used, func(u memoryUse) float64 { return u.resident }) || heap(used, func(u memoryUse) float64 { return u.heap }) {
		t.Errorf("memory grew: %v", used)
	}
}

// overload asks for twice what the pipeline can do for a window, and gives how long each
// request took in the pipeline, ascending: load counts from when it was due.
func overload(t *testing.T, client *Client) (load.Result, []time.Duration) {
	var mu sync.Mutex
	var took []time.Duration
	options := load.Options{Duration: *soak / soakWindows, Concurrency: minInFlight, Rate: 2 / soakComputes.Seconds()}
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
	slices.Sort(took)
	return result, took
}

// p99 is of what is sorted; 0 where a window has no request.
func p99(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[len(took)*99/100]
}

// grew says whether the last window takes more than a share above the first, and more than
// some bytes.
func grew(share, bytes float64) func([]memoryUse, func(memoryUse) float64) bool {
	return func(used []memoryUse, of func(memoryUse) float64) bool {
		first, last := of(used[0]), of(used[len(used)-1])
		return last > (1+share)*first && last-first > bytes
	}
}
