package solver

import (
	"context"
	"fmt"
	"slices"
)

// Solve finds the placement with the smallest bottleneck, and among equals the
// one with the fewest bytes to move, then the lower latency, then fewer stages,
// then the lower nodes, then the earlier cuts. The start placement of the problem
// stays as long as it fits and no strictly smaller bottleneck is found.
//
// The error is for an invalid problem or an unknown algorithm only; that nothing
// fits, or nothing was found in time, is a status. The same input gives the same
// solution unless the context or the time limit ends the search, and then Reason
// says so.
func Solve(ctx context.Context, p *Problem, o Options) (*Solution, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if o.Algorithm == "" {
		o.Algorithm = Auto
	}
	if !slices.Contains(Algorithms(), o.Algorithm) {
		return nil, fmt.Errorf("unknown algorithm %q; there are %v", o.Algorithm, Algorithms())
	}
	if o.TimeLimit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.TimeLimit, errTimeLimit)
		defer cancel()
	}
	if p.Models != nil {
		return solveModels(ctx, p, o)
	}
	r := &run{p: p, m: newModel(p), b: &budget{ctx: ctx, limit: o.TimeLimit, most: o.WorkLimit}, algorithm: o.Algorithm, seed: o.Seed, cheap: o.cheap}
	r.begin()
	r.search()
	s, err := r.solution()
	if err == nil && s.Status == Infeasible && !o.unreasoned {
		s.Conflict = conflict(ctx, p)
		s.Reason = s.Conflict.String()
	}
	return s, err
}

// run is one call of Solve.
type run struct {
	p         *Problem
	m         *model
	b         *budget
	algorithm Algorithm
	seed      uint64
	cheap     bool // first from the start placement, and without prices

	way        path // the best known; nil when there is none
	best       score
	low        int64 // proven
	infeasible bool  // proven
	reason     string

	start     bool // the start placement fits
	startPeak int64
}

// begin takes the start placement in.
func (r *run) begin() {
	if len(r.p.Start) == 0 {
		return
	}
	if _, err := Evaluate(r.p, r.p.Start); err != nil {
		return
	}
	way := r.m.pathOf(r.p.Start)
	if s, ok := r.m.cost(way); ok {
		r.start, r.startPeak = true, s.peak
		r.offer(way)
		if r.cheap {
			r.offer(r.m.improve(way, r.b))
		}
	}
}

// offer takes a path when it is better than the best known.
func (r *run) offer(way path) {
	s, ok := r.m.cost(way)
	if !ok {
		return
	}
	if r.way != nil {
		c := s.compare(r.best)
		if c > 0 || c == 0 && comparePlaced(r.m.placed(way), r.m.placed(r.way)) >= 0 {
			return
		}
	}
	r.way, r.best = way, s
}

// keepsStart says whether the start placement is as good as the best known.
func (r *run) keepsStart() bool { return r.start && r.startPeak <= r.best.peak }

func (r *run) search() {
	m := r.m
	rest, done := m.minimax(r.b)
	if !done {
		r.reason = r.b.reason()
		return
	}
	r.low = rest.first()[0]
	if r.low >= never || newTable(m, never).relax(countWeights()).first()[0] > int64(m.stages) {
		r.infeasible = true
		return
	}
	switch r.algorithm {
	case KPath, Random, Greedy:
		r.simple()
	default:
		r.offer(m.greedy(r.low, r.b))
		r.refine(rest)
	}
	if r.b.over && r.reason == "" {
		r.reason = r.b.reason()
	}
}

// simple runs an algorithm that proves nothing by itself.
func (r *run) simple() {
	m := r.m
	switch r.algorithm {
	case KPath:
		r.kPath()
		r.reason = "k-path matching proves no optimum"
	case Random:
		r.offer(m.random(r.seed, r.b))
		r.reason = "random draws prove no optimum"
	default:
		r.offer(m.greedy(r.low, r.b))
		r.reason = "greedy walks prove no optimum"
	}
	if r.way == nil {
		r.reason = "algorithm " + string(r.algorithm) + " found no placement; another one may"
		return
	}
	if r.low = m.bound(r.low, r.best.peak, r.b); r.low == r.best.peak {
		r.reason = ""
	}
}

// matched is the path of stages that end at ends on the given nodes, or nil.
func (m *model) matched(ends, nodes []int) path {
	var way path
	for k, v := range nodes {
		way = append(way, step{m.classOf(v), ends[k]})
	}
	return way
}

// refine goes on from the greedy placement: beam search, local search, then both
// sides of the gap by prices, and the exact search where it can be done.
func (r *run) refine(rest *least) {
	m := r.m
	r.heuristics(rest)
	u := m.uses()
	can := m.cells(u) > 0 && (r.algorithm == Exact || m.easy(u))
	switch {
	case r.way != nil || r.b.over:
	case can:
		r.prove(u)
	default:
		r.find()
	}
	if r.way == nil || r.b.over {
		return
	}
	r.low = m.bound(r.low, r.best.peak, r.b)
	if !r.cheap {
		r.route()
		p := newPricing(m, r.b)
		if r.price(p); !can || !m.sums() {
			r.narrow(p)
		}
	}
	switch {
	case r.b.over:
	case can:
		r.exact(u)
	case r.low < r.best.peak:
		r.reason = "the cluster is too large to close the gap"
	case !r.keepsStart():
		r.reason = "the bottleneck is proven; its ties are not settled, as the cluster is too large"
	}
}

// heuristics are the beam search and the local search.
func (r *run) heuristics(rest *least) {
	most := never
	if r.way != nil {
		most = r.best.peak
	}
	if way := r.m.beam(rest, most, r.b); way != nil {
		r.offer(way)
	}
	if r.way != nil {
		r.offer(r.m.improve(r.way, r.b))
	}
}

// solution puts the answer together; its cost comes from Evaluate.
func (r *run) solution() (*Solution, error) {
	s := &Solution{Algorithm: r.algorithm, Reason: r.reason, Work: r.b.work}
	switch {
	case r.infeasible:
		s.Status, s.Reason = Infeasible, "no placement exists"
		return s, nil
	case r.way == nil:
		s.Status, s.LowerBoundSeconds = Unknown, toSeconds(r.low)
		if s.Reason == "" {
			s.Reason = "no placement was found, and none is proven not to exist"
		}
		return s, nil
	}
	s.Stages = r.m.placed(r.way)
	if r.keepsStart() {
		s.Stages = r.p.Start
	}
	cost, err := Evaluate(r.p, s.Stages)
	if err != nil {
		return nil, fmt.Errorf("solver: the search and Evaluate disagree: %w", err)
	}
	s.Cost, s.LowerBoundSeconds, s.Status = cost, toSeconds(r.low), Feasible
	if r.low == r.best.peak {
		s.Status = Optimal
	}
	return s, nil
}
