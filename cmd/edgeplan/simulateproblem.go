package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/edgeplan/edgeplan/solver"
)

// problemFlags name a problem file, and how it is solved.
type problemFlags struct {
	path, solution string
	limit          time.Duration
}

func (f *problemFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&f.path, "problem", "", "simulate a solution of the problem in `FILE`, as edgeplan solve reads it")
	flags.StringVar(&f.solution, "solution", "", "of the problem: `FILE` with what edgeplan solve -json printed; default: search for one")
	flags.DurationVar(&f.limit, "time-limit", 10*time.Second, "end the search for a solution after `TIME` with the best so far; 0 is never")
}

// simulated is the problem's pipelines, all at once.
func (f *problemFlags) simulated(ctx context.Context) (*simulated, error) {
	p, err := readProblem(f.path)
	if err != nil {
		return nil, err
	}
	if p.Overlap != nil && !*p.Overlap {
		return nil, fmt.Errorf("%s: overlap is false, and the workers that are simulated compute, receive and send at the same time: leave it out", f.path)
	}
	if err := tellApart(p); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	placements, err := f.placements(ctx, p)
	if err != nil {
		return nil, err
	}
	s, err := simulatedProblem(p, placements)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return s, nil
}

// placements are the solution's: one for each model, or one in all.
func (f *problemFlags) placements(ctx context.Context, p *solver.Problem) ([][]solver.Placed, error) {
	if f.solution != "" {
		return readPlacements(f.solution, p)
	}
	s, err := solver.Solve(ctx, p, solver.Options{TimeLimit: f.limit})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", f.path, err)
	case s.Cost == nil:
		return nil, fmt.Errorf("%s: there is no placement to simulate: %s", f.path, s.Reason)
	case p.Models == nil:
		return [][]solver.Placed{s.Stages}, nil
	}
	return s.Placements, nil
}

// readPlacements reads what `edgeplan solve -json` prints, and of that no more than stages.
func readPlacements(path string, p *solver.Problem) ([][]solver.Placed, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var answer solutionJSON
	if err := json.Unmarshal(content, &answer); err != nil {
		return nil, fmt.Errorf("%s: this is no answer of edgeplan solve -json: %w", path, err)
	}
	var lists [][]stageJSON
	switch {
	case p.Models != nil && answer.Models != nil:
		for _, m := range *answer.Models {
			lists = append(lists, m.Stages)
		}
	case p.Models == nil && answer.Stages != nil:
		lists = append(lists, *answer.Stages)
	default:
		return nil, fmt.Errorf("%s: it has no stages for this problem: write what edgeplan solve -json printed", path)
	}
	var placements [][]solver.Placed
	for _, list := range lists {
		stages, err := placedOn(p, list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		placements = append(placements, stages)
	}
	return placements, nil
}

func placedOn(p *solver.Problem, list []stageJSON) ([]solver.Placed, error) {
	index := map[string]int{}
	for v := range p.Nodes {
		index[p.NodeName(v)] = v
	}
	var stages []solver.Placed
	for _, st := range list {
		v, known := index[st.Node]
		if !known {
			return nil, fmt.Errorf("the problem has no node %q", st.Node)
		}
		stages = append(stages, solver.Placed{Node: v, FirstSegment: st.FirstSegment, LastSegment: st.LastSegment})
	}
	return stages, nil
}

// tellApart refuses names that stand for two things: a result could not say which it means.
func tellApart(p *solver.Problem) error {
	seen := map[string]string{}
	check := func(name, place string) error {
		if before, twice := seen[name]; twice {
			return fmt.Errorf("%s and %s are both named %q: name them apart", before, place, name)
		}
		seen[name] = place
		return nil
	}
	var errs []error
	for v := range p.Nodes {
		errs = append(errs, check(p.NodeName(v), fmt.Sprintf("nodes[%d]", v)))
	}
	for i := range p.Shared {
		errs = append(errs, check(p.ResourceName(solver.Resource{Kind: solver.NetworkResource, From: i}), fmt.Sprintf("shared[%d]", i)))
	}
	return errors.Join(errs...)
}
