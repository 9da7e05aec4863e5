package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeplan/edgeplan/internal/load"
)

// In a closed loop the concurrency is always used, and never exceeded.
func TestClosedLoop(t *testing.T) {
	var busy, most, sent atomic.Int32
	r := load.Run(context.Background(), load.Options{Duration: 200 * time.Millisecond, Concurrency: 4}, func(context.Context) error {
		n := busy.Add(1)
		defer busy.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		if sent.Add(1)%10 == 0 {
			return errors.New("the tenth")
		}
		return nil
	})
	if most.Load() != 4 {
		t.Errorf("%d requests at once", most.Load())
	}
	if r.Answered+r.Failed != int(sent.Load()) || r.Failed == 0 || r.FirstError.Error() != "the tenth" {
		t.Errorf("%d sent: %+v", sent.Load(), r)
	}
	if len(r.Latencies) != r.Answered || r.Quantile(0) < 5*time.Millisecond || r.Quantile(1) < r.Quantile(0.5) {
		t.Errorf("%+v", r.Latencies)
	}
}

// In an open loop a slow server makes requests late, and the latency says so.
func TestOpenLoopCountsWaiting(t *testing.T) {
	r := load.Run(context.Background(), load.Options{Duration: 300 * time.Millisecond, Concurrency: 1, Rate: 1000}, func(context.Context) error {
		time.Sleep(10 * time.Millisecond)
		return nil
	})
	if r.Answered > 40 || r.Quantile(1) < 200*time.Millisecond {
		t.Errorf("%d answered, the slowest took %v", r.Answered, r.Quantile(1))
	}
}

func TestInterruptedRequestsDoNotCount(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	r := load.Run(ctx, load.Options{Duration: time.Minute, Concurrency: 2}, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if r.Answered != 0 || r.Failed != 0 || r.Elapsed > 10*time.Second {
		t.Errorf("%+v", r)
	}
}

func TestQuantile(t *testing.T) {
	r := load.Result{Latencies: []time.Duration{1, 2, 3, 4}}
	for _, test := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.25, 1}, {0.5, 2}, {0.51, 3}, {0.99, 4}, {1, 4}} {
		if got := r.Quantile(test.q); got != test.want {
			t.Errorf("quantile %v is %v, want %v", test.q, got, test.want)
		}
	}
	if (load.Result{}).Quantile(0.5) != 0 || (load.Result{}).Throughput() != 0 {
		t.Error("nothing answered")
	}
}

// Answers count within the window, and latencies and failures of what was due there; pauses are
// the caller's.
func TestWarmUpAndPauses(t *testing.T) { synctest.Test(t, testWarmUpAndPauses) }

func testWarmUpAndPauses(t *testing.T) {
	const ms = time.Millisecond
	pauses := []time.Duration{10 * ms, 30 * ms, 110 * ms, 40 * ms, 20 * ms, time.Hour} // due at 10, 40, 150, 190 and 210
	next := 0
	r := load.Run(context.Background(), load.Options{
		Duration: 220 * ms, WarmUp: 100 * ms, Concurrency: 10, Rate: 1,
		Pause: func() time.Duration { next++; return pauses[next-1] },
	}, func(context.Context) error { time.Sleep(20 * ms); return nil })
	if r.Answered != 2 || len(r.Latencies) != 3 || r.Failed != 0 || r.Elapsed != 120*ms {
		t.Errorf("%+v, want the answers of the two due at 150 and 190 ms, and the latency of that at 210 too", r)
	}
}

// What fails in the warm-up does not count, and an overloaded open loop hides no latency.
func TestWarmUpAndFailures(t *testing.T) { synctest.Test(t, testWarmUpAndFailures) }

func testWarmUpAndFailures(t *testing.T) {
	const ms = time.Millisecond
	var sent atomic.Int64
	begun := time.Now()
	r := load.Run(context.Background(), load.Options{Duration: 200 * ms, WarmUp: 100 * ms, Concurrency: 20, Rate: 100}, func(context.Context) error {
		n := sent.Add(1)
		if time.Since(begun) < 95*ms {
			return errors.New("cold")
		}
		time.Sleep(time.Duration(n) * 20 * ms) // the 18th, due at 170 ms, is answered at 530
		return nil
	})
	if r.Failed != 0 || r.FirstError != nil || r.Answered != 0 || r.Quantile(1) < 360*ms {
		t.Errorf("%+v", r)
	}
}

// The interval of a quantile is wide where answers are few.
func TestInterval(t *testing.T) {
	ramp := func(n int) (r load.Result) {
		for i := range n {
			r.Latencies = append(r.Latencies, time.Duration(i+1)*time.Millisecond)
		}
		return r
	}
	for _, c := range []struct {
		answers   int
		q         float64
		low, high time.Duration // in milliseconds
	}{
		{0, 0.99, 0, 0},
		{1, 0.99, 1, 1},
		{100, 0.99, 98, 100},
		{1000, 0.99, 984, 997},
		{1000, 0.5, 470, 531},
	} {
		low, high := ramp(c.answers).Interval(c.q)
		if low != c.low*time.Millisecond || high != c.high*time.Millisecond {
			t.Errorf("%d answers: p%v is from %v to %v, want %d to %d ms", c.answers, 100*c.q, low, high, c.low, c.high)
		}
	}
}
