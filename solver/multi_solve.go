package solver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// solveModels is Solve for a problem with models. The start placements stay, all of
// them or none. The bottleneck comes first; its ties are decided as for one model,
// with bytes, latencies and stages added up over the models, but only as far as the
// local search sees.
func solveModels(ctx context.Context, p *Problem, o Options) (*Solution, error) {
	switch o.Algorithm {
	case Auto, Exact, Greedy:
	default:
		return nil, fmt.Errorf("algorithm %s places one model; several together are placed by %s, %s or %s", o.Algorithm, Auto, Exact, Greedy)
	}
	r := &jointRun{p: p, j: newJoint(p), b: &budget{ctx: ctx, limit: o.TimeLimit, most: o.WorkLimit}, algorithm: o.Algorithm, quick: o.cheap}
	if s, err := r.alone(ctx); s != nil || err != nil {
		return s, err
	}
	r.begin()
	r.search()
	return r.solution()
}

// jointRun is one call of Solve for several models.
type jointRun struct {
	p         *Problem
	j         *joint
	b         *budget
	algorithm Algorithm
	quick     bool     // only from the start placements on
	order     []*chain // the hardest first

	best       *jointState // nil when there is none
	score      score
	low        int64 // proven
	infeasible bool  // proven
	reason     string
	prices     []int64

	start     [][]Placed // nil unless all fit
	startPeak int64
}

// aloneNodes is the size of cluster up to which every model is first solved alone by
// the exact search; on larger ones only bounded.
const aloneNodes = 10

// alone bounds the bottleneck by that of each model with the cluster to itself. It
// gives a solution when one of them does not fit even then.
func (r *jointRun) alone(ctx context.Context) (*Solution, error) {
	lows := make([]int64, len(r.j.chains))
	for k, c := range r.j.chains {
		view, how := *c.m.p, Greedy
		if len(view.Nodes) <= aloneNodes && !r.quick {
			how = Auto
		}
		view.Start = nil
		s, err := Solve(ctx, &view, Options{Algorithm: how, cheap: true, unreasoned: r.quick})
		if err != nil {
			return nil, &ModelError{k, r.p.modelName(k), err}
		}
		r.b.work += s.Work
		if s.Status == Infeasible {
			return &Solution{Status: Infeasible, Algorithm: r.algorithm, Reason: r.p.modelName(k) + ": " + s.Reason, Model: &k, Work: r.b.work}, nil
		}
		lows[k] = fromSeconds(s.LowerBoundSeconds)
		r.low = max(r.low, lows[k])
	}
	r.order = slices.Clone(r.j.chains)
	slices.SortStableFunc(r.order, func(a, b *chain) int { return cmp.Compare(lows[b.k], lows[a.k]) })
	return nil, nil
}

// fromSeconds is the least time in ps that toSeconds turns into these seconds.
func fromSeconds(seconds float64) int64 {
	ps := toPS(seconds)
	for ps > 0 && toSeconds(ps-1) >= seconds {
		ps--
	}
	for toSeconds(ps) < seconds {
		ps++
	}
	return ps
}

// begin takes the start placements in.
func (r *jointRun) begin() {
	starts := make([][]Placed, len(r.p.Models))
	for k, m := range r.p.Models {
		starts[k] = m.Start
	}
	if _, err := r.p.evaluateModels(starts); err != nil {
		return
	}
	s := newJointState(r.j)
	for k, c := range r.j.chains {
		s.put(c, c.stopsOf(starts[k]))
	}
	r.start, r.startPeak = starts, s.peak()
	r.offer(s)
}

// limit is what better placements stay below.
func (r *jointRun) limit() int64 {
	if r.best == nil {
		return never
	}
	return r.score.peak
}

// offer takes complete placements when they are better than the best known.
func (r *jointRun) offer(s *jointState) bool {
	sc := s.score()
	if r.best != nil && sc.compare(r.score) >= 0 {
		return false
	}
	r.best, r.score = s.clone(), sc
	return true
}

func (r *jointRun) search() {
	if r.quick && r.best != nil {
		r.descend(r.best.clone())
		return
	}
	r.sequences()
	if r.best == nil {
		r.squeeze()
	}
	if r.best == nil && !r.infeasible && r.algorithm != Greedy {
		r.exact(r.exactWork())
	}
	if r.best != nil && !r.b.over {
		r.price(jointPriceWork)
		r.refine()
		r.descend(r.best.clone())
	}
	if r.b.over && r.low < r.limit() && !r.infeasible {
		r.reason = r.b.reason()
	}
}

// refine closes the gap: at once where the cluster is small, else as far as it goes.
func (r *jointRun) refine() {
	if r.algorithm == Greedy {
		r.reason = "placing one model after another proves no optimum"
		return
	}
	if r.low < r.score.peak {
		r.exact(jointQuickWork)
	}
	if r.low < r.score.peak {
		r.anneal()
		r.price(4 * jointPriceWork)
	}
	if r.low < r.score.peak && !r.b.over {
		r.exact(r.exactWork())
	}
}

func (r *jointRun) exactWork() int64 {
	if r.algorithm == Exact {
		return never
	}
	return jointExactWork
}

// solution puts the answer together; its cost comes from EvaluateModels.
func (r *jointRun) solution() (*Solution, error) {
	s := &Solution{Algorithm: r.algorithm, Reason: r.reason, Work: r.b.work}
	switch {
	case r.infeasible:
		s.Status = Infeasible
		s.Reason, s.Model = r.whyInfeasible()
		return s, nil
	case r.best == nil:
		s.Status, s.LowerBoundSeconds = Unknown, toSeconds(r.low)
		if s.Reason == "" {
			s.Reason = "no placements were found, and none are proven not to exist"
		}
		return s, nil
	}
	s.Placements = r.best.placements()
	if r.start != nil && r.startPeak <= r.score.peak {
		s.Placements = r.start
	}
	cost, err := EvaluateModels(r.p, s.Placements)
	if err != nil {
		return nil, fmt.Errorf("solver: the search and EvaluateModels disagree: %w", err)
	}
	s.Cost, s.LowerBoundSeconds, s.Status = cost, toSeconds(r.low), Feasible
	if r.low == r.score.peak {
		s.Status, s.Reason = Optimal, ""
	}
	return s, nil
}
