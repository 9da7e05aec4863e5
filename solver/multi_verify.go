package solver

import (
	"errors"
	"fmt"
	"math"
	"reflect"
)

// verifyModels is Verify for a problem with models.
func verifyModels(p *Problem, s *Solution) error {
	if !(s.LowerBoundSeconds >= 0) || math.IsInf(s.LowerBoundSeconds, 0) {
		return fmt.Errorf("the lower bound, %g s, is no time", s.LowerBoundSeconds)
	}
	if s.Stages != nil {
		return errors.New("the problem has models, and the solution stages of none of them")
	}
	switch s.Status {
	case Optimal, Feasible:
		return verifyPlacements(p, s)
	case Infeasible, Unknown:
		if len(s.Placements) > 0 || s.Cost != nil {
			return fmt.Errorf("status %s, but there are placements of %d models", s.Status, len(s.Placements))
		}
		if s.Reason == "" {
			return fmt.Errorf("status %s without a reason", s.Status)
		}
		return nil
	}
	return fmt.Errorf("status %q is none of optimal, feasible, infeasible, unknown", s.Status)
}

func verifyPlacements(p *Problem, s *Solution) error {
	cost, err := EvaluateModels(p, s.Placements)
	switch {
	case err != nil:
		return fmt.Errorf("the placements break a rule: %w", err)
	case s.Cost == nil:
		return errors.New("the placements have no cost")
	case len(s.Cost.Models) != len(p.Models):
		return fmt.Errorf("the cost is of %d models, and there are %d", len(s.Cost.Models), len(p.Models))
	case !reflect.DeepEqual(cost, s.Cost):
		return fmt.Errorf("the placements cost %.12f s and the solution says %.12f s, or their parts differ",
			cost.BottleneckSeconds, s.Cost.BottleneckSeconds)
	case s.LowerBoundSeconds > cost.BottleneckSeconds:
		return fmt.Errorf("the lower bound, %.12f s, exceeds the cost, %.12f s", s.LowerBoundSeconds, cost.BottleneckSeconds)
	case s.Status == Optimal && s.LowerBoundSeconds < cost.BottleneckSeconds:
		return fmt.Errorf("status optimal, but the lower bound, %.12f s, does not meet the cost, %.12f s",
			s.LowerBoundSeconds, cost.BottleneckSeconds)
	}
	return verifySums(p, s)
}

// verifySums verifies each model alone, and adds them up without EvaluateModels.
func verifySums(p *Problem, s *Solution) error {
	busy, used := map[Resource]float64{}, make([]int64, len(p.Nodes))
	for k, stages := range s.Placements {
		alone := s.Cost.Models[k].Alone
		if err := Verify(p.Alone(k), &Solution{Status: Feasible, Stages: stages, Cost: alone}); err != nil {
			return &ModelError{k, p.modelName(k), err}
		}
		for i, st := range stages {
			if used[st.Node] += alone.Stages[i].MemoryBytes; used[st.Node] > p.Nodes[st.Node].MemoryBytes {
				return fmt.Errorf("the stages on %s need %s", p.nodeName(st.Node), mebibytes(used[st.Node]))
			}
		}
		for _, r := range alone.Resources {
			busy[Resource{Kind: r.Kind, From: r.From, To: r.To}] += p.RequiredThroughput(k) * r.Seconds
		}
	}
	if len(busy) != len(s.Cost.Resources) {
		return fmt.Errorf("%d resources are busy, and the cost has %d", len(busy), len(s.Cost.Resources))
	}
	for _, r := range s.Cost.Resources {
		want := busy[Resource{Kind: r.Kind, From: r.From, To: r.To}]
		if math.Abs(want-r.Seconds) > 1e-9*(1+want) || r.Seconds > s.Cost.BottleneckSeconds {
			return fmt.Errorf("%s is busy for %.12f s, and the cost says %.12f s", p.ResourceName(r), want, r.Seconds)
		}
	}
	return nil
}
