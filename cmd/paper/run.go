package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// places lists the instances of some rows, sizes and numbers of networks.
func places(rows []row, sizes []int, trials int) (out []place) {
	for _, r := range rows {
		for _, n := range sizes {
			for trial := range trials {
				out = append(out, place{r.chain.Model, r.mib, n, trial})
			}
		}
	}
	return out
}

// runner runs instances, some at a time; the answers do not depend on how many.
type runner struct {
	rows     []row
	limit    time.Duration
	parallel int
	timings  *timings
	progress io.Writer
}

func (r *runner) run(ctx context.Context, at []place) ([]instance, error) {
	out := make([]instance, len(at))
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.parallel)
	for i, p := range at {
		group.Go(func() (err error) {
			out[i], err = r.trial(ctx, p).run()
			if n := done.Add(1); n%100 == 0 {
				fmt.Fprintf(r.progress, "%d of %d instances\n", n, len(at))
			}
			return err
		})
	}
	return out, group.Wait()
}

func (r *runner) trial(ctx context.Context, p place) *trial {
	t := &trial{ctx: ctx, limit: r.limit, net: p.network(), clock: &clock{p.nodes, r.timings}}
	t.in.place = p
	for _, row := range r.rows {
		if row.chain.Model == p.model && row.mib == p.mib {
			t.row = row
		}
	}
	return t
}
