package worker

import (
	"context"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// BenchmarkHop reports what one more stage costs for a tensor of 100 KB: the CPU
// time of a request through four stages less that of one through one stage, per
// hop, with nothing but a copy for an engine. Sending, TLS both ways and
// receiving are in it.
func BenchmarkHop(b *testing.B) {
	const elements = 100_000
	for b.Loop() {
		one, four := cpuPerRequest(b, 1, elements), cpuPerRequest(b, 4, elements)
		b.ReportMetric(float64((four-one).Microseconds())/3, "cpu-us/hop")
		b.ReportMetric(float64(one.Microseconds()), "cpu-us/one-stage")
	}
}

func cpuPerRequest(b *testing.B, stages int, elements int64) time.Duration {
	b.Helper()
	c := newCluster(b, layout{stages: stages, gateway: stages, elements: elements}).start()
	client := c.client(stages)
	send := func(n int) {
		var group errgroup.Group
		group.SetLimit(12)
		for i := range n {
			group.Go(func() error {
				_, err := client.Infer(context.Background(), testModel, testRelease, request(elements, byte(i)))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	send(200)
	const requests = 2000
	before := cpuTime(b)
	send(requests)
	used := cpuTime(b) - before
	for i := range c.workers {
		c.stopOne(i)
	}
	return used / requests
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
