// Package load sends requests to something that answers, and measures it.
package load

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// Options of Run.
type Options struct {
	Duration time.Duration // how long requests are sent
	// Concurrency is how many requests are without an answer at once: always in a
	// closed loop, at most in an open one.
	Concurrency int
	// Rate in requests per second makes an open loop, in which requests come
	// whether or not earlier ones are answered; 0 is a closed loop.
	Rate float64
	// Pause gives the time before each request of an open loop; nil is always 1/Rate,
	// with the first at once.
	Pause func() time.Duration
	// WarmUp leaves out what is answered within this time or after Duration, so that neither
	// filling nor emptying counts; latencies and failures are those of requests that were due
	// between, however late they end. 0 counts all.
	WarmUp time.Duration
}

// Result of Run. Latencies are ascending. In an open loop they count from when a
// request was due, so that waiting for a place counts too.
type Result struct {
	Answered, Failed int
	FirstError       error
	Elapsed          time.Duration // from the first request, or the end of the warm-up, to the last answer that counts
	Latencies        []time.Duration
}

// Throughput is answers per second.
func (r Result) Throughput() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answered) / r.Elapsed.Seconds()
}

// Quantile is the latency that a share q of all that count, 0 to 1, does not exceed:
// the nearest rank. It is 0 when there is no answer.
func (r Result) Quantile(q float64) time.Duration {
	n := len(r.Latencies)
	if n == 0 {
		return 0
	}
	rank := int(q * float64(n))
	if float64(rank) < q*float64(n) {
		rank++
	}
	return r.Latencies[min(max(rank, 1), n)-1]
}

// Interval bounds the quantile q with 95 % confidence, by the order of the answers and as if
// they were independent of each other (the normal approximation of a binomial rank).
func (r Result) Interval(q float64) (low, high time.Duration) {
	n := float64(len(r.Latencies))
	if n == 0 {
		return 0, 0
	}
	off := 1.96 * math.Sqrt(q*(1-q)/n)
	return r.Quantile(max(0, q-off)), r.Quantile(min(1, q+off))
}

// Run calls request until the time is over or ctx ends, and waits for the
// answers. Requests cut off by ctx do not count.
func Run(ctx context.Context, o Options, request func(context.Context) error) Result {
	sending, cancel := context.WithTimeout(ctx, o.Duration)
	defer cancel()
	r := run{request: request, ctx: ctx, options: o, begin: time.Now()}
	due := r.schedule(sending, o)
	var group sync.WaitGroup
	for range o.Concurrency {
		group.Go(func() {
			for at := range due {
				r.once(at)
			}
		})
	}
	group.Wait()
	r.result.Elapsed = time.Since(r.begin)
	if o.WarmUp > 0 {
		r.result.Elapsed = o.Duration - o.WarmUp
	}
	slices.Sort(r.result.Latencies)
	return r.result
}

type run struct {
	ctx     context.Context
	request func(context.Context) error
	options Options
	begin   time.Time

	mu     sync.Mutex
	result Result
}

// schedule gives the times at which requests are due, until ctx ends; the zero
// time is at once.
func (r *run) schedule(ctx context.Context, o Options) <-chan time.Time {
	due := make(chan time.Time)
	go func() {
		defer close(due)
		var next time.Time
		pause := func() time.Duration { return 0 }
		if o.Rate > 0 {
			next = time.Now()
			pause = func() time.Duration { return time.Duration(float64(time.Second) / o.Rate) }
		}
		if o.Pause != nil {
			pause = o.Pause
			next = next.Add(pause())
		}
		for ; ; next = next.Add(pause()) {
			timer := time.NewTimer(time.Until(next))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			select {
			case due <- next:
			case <-ctx.Done():
				return
			}
		}
	}()
	return due
}

func (r *run) once(due time.Time) {
	if due.IsZero() {
		due = time.Now()
	}
	err := r.request(r.ctx)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.answer(due, now)
	} else if r.counts(due) && (r.ctx.Err() == nil || !errors.Is(err, r.ctx.Err())) {
		if r.result.Failed++; r.result.FirstError == nil {
			r.result.FirstError = err
		}
	}
}

// answer counts an answer by its own time, and its latency by the time when its request was
// due: else the latest answers of an open loop that falls behind would be left out.
func (r *run) answer(due, now time.Time) {
	if r.counts(now) {
		r.result.Answered++
	}
	if r.counts(due) {
		r.result.Latencies = append(r.result.Latencies, now.Sub(due))
	}
}

// counts says whether what happens at a time counts.
func (r *run) counts(at time.Time) bool {
	since := at.Sub(r.begin)
	return r.options.WarmUp == 0 || since > r.options.WarmUp && since <= r.options.Duration
}
