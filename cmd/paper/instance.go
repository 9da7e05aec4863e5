package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgeplan/edgeplan/internal/paper"
	"github.com/edgeplan/edgeplan/solver"
)

// instance is what all algorithms make of one row on one network.
type instance struct {
	place
	kpath          []outcome // as published, one for each of classCounts
	repaired       outcome   // solver.KPath
	greedy, random outcome
	// placementBound is the paper's "optimal" for the cuts of k-path and greedy.
	placementBound float64
	ours           proof // the joint problem at the paper's terms
	given          proof // the nodes only, for the cuts of k-path and greedy
	inTruth        proof // the joint problem with the memory that is needed in fact
	// By which counts the cuts of k-path and greedy, random and ours fit.
	cutsFit, randomFit, oursFit paper.Fit
}

// outcome is a bottleneck in seconds, or the word for why there is none.
type outcome struct {
	seconds float64
	failure string
}

// The words for an outcome without a bottleneck.
const (
	memoryError = "MemoryError"
	unmatched   = "unmatched"
	oneNode     = "one-node"
	infeasible  = "infeasible"
	notFound    = "none"
)

// proof is the outcome of a search that also proves a lower bound.
type proof struct {
	outcome
	bound float64 // equal to the seconds of a proven optimum
}

func (o outcome) ok() bool { return o.failure == "" }

func (p proof) proven() bool {
	return p.ok() && p.bound == p.seconds || p.failure == infeasible || p.failure == oneNode
}

func failed(err error) outcome {
	switch {
	case errors.Is(err, paper.ErrMemory):
		return outcome{failure: memoryError}
	case errors.Is(err, paper.ErrUnmatched):
		return outcome{failure: unmatched}
	case errors.Is(err, paper.ErrOneNode):
		return outcome{failure: oneNode}
	}
	panic(fmt.Sprintf("paper: no word for %v", err)) // a fault of this file
}

// trial runs the algorithms on one instance.
type trial struct {
	ctx   context.Context
	limit time.Duration // of each search of the solver
	row   row
	net   paper.Network
	clock *clock
	err   error // the first of the solver
	in    instance
}

func (t *trial) run() (instance, error) {
	t.published()
	p := joint(t.row.chain, t.net, t.row.capacity())
	var stages []solver.Placed
	t.in.ours, stages = t.solve(timedOurs, p, solver.Options{})
	t.in.oursFit = t.row.chain.FitOf(cutsOf(stages), t.row.capacity())
	repaired, _ := t.solve(timedRepaired, p, solver.Options{Algorithm: solver.KPath, Seed: t.in.seed(0)})
	t.in.repaired = repaired.outcome
	t.in.inTruth, _ = t.solve(timedTrue, jointTrue(t.row.chain, t.net, t.row.capacity()), solver.Options{})
	return t.in, t.err
}

// published runs what the paper has.
func (t *trial) published() {
	c, net := t.row.chain, t.net
	stop := t.clock.start(timedRandom)
	p, err := paper.Random(c, net, t.row.capacity(), t.in.draw(1))
	stop()
	t.in.random = t.bottleneck(p, err)
	if err == nil {
		t.in.randomFit = c.FitOf(p.Cuts, t.row.capacity())
	}
	stop = t.clock.start(timedPartition)
	cuts, err := c.Partition(t.row.capacity(), t.in.nodes)
	stop()
	if err != nil {
		t.in.greedy, t.in.given = failed(err), proof{outcome: failed(err)}
		for range classCounts {
			t.in.kpath = append(t.in.kpath, failed(err))
		}
		return
	}
	t.cutsAlone(cuts)
}

// cutsAlone runs what starts from the cuts of the paper's partitioning.
func (t *trial) cutsAlone(cuts []int) {
	c, net := t.row.chain, t.net
	t.in.cutsFit = c.FitOf(cuts, t.row.capacity())
	stop := t.clock.start(timedGreedy)
	walk := paper.Greedy(c, net, cuts)
	stop()
	t.in.greedy = t.bottleneck(walk, nil)
	t.in.placementBound = walk.PlacementBound(c, net)
	for _, classes := range classCounts {
		stop := t.clock.start(timedKPath(classes))
		p, err := paper.KPathMatching(c, net, cuts, classes, t.in.draw(uint64(classes)))
		stop()
		t.in.kpath = append(t.in.kpath, t.bottleneck(p, err))
	}
	t.in.given, _ = t.solve(timedGiven, given(c, net, cuts), solver.Options{})
}

func (t *trial) bottleneck(p *paper.Placement, err error) outcome {
	if err != nil {
		return failed(err)
	}
	return outcome{seconds: p.Bottleneck(t.row.chain, t.net)}
}

func (t *trial) solve(name string, p *solver.Problem, o solver.Options) (proof, []solver.Placed) {
	if o.Algorithm != solver.KPath { // whose work has a bound of its own
		o.TimeLimit = t.limit
	}
	stop := t.clock.start(name)
	s, err := solver.Solve(t.ctx, p, o)
	stop()
	if t.ctx.Err() != nil {
		err = context.Cause(t.ctx)
	}
	if err != nil {
		t.err = errors.Join(t.err, fmt.Errorf("%s on %+v: %w", name, t.in.place, err))
		return proof{}, nil
	}
	return proofOf(s), s.Stages
}

func proofOf(s *solver.Solution) proof {
	switch {
	case s.Status == solver.Infeasible:
		return proof{outcome: outcome{failure: infeasible}}
	case s.Cost == nil:
		return proof{outcome: outcome{failure: notFound}}
	case len(s.Stages) == 1:
		return proof{outcome: outcome{failure: oneNode}}
	case s.Status == solver.Optimal:
		return proof{outcome{seconds: s.Cost.BottleneckSeconds}, s.Cost.BottleneckSeconds}
	}
	return proof{outcome{seconds: s.Cost.BottleneckSeconds}, s.LowerBoundSeconds}
}
