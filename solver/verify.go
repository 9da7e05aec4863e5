package solver

import (
	"errors"
	"fmt"
	"math"
	"reflect"
)

// Verify checks a solution against its problem without trusting how it was
// found: the placement keeps every rule, costs what the solution says, is not
// below the lower bound, and the status agrees. It cannot redo the proof of the
// bound itself.
func Verify(p *Problem, s *Solution) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Models != nil {
		return verifyModels(p, s)
	}
	if s.LowerBoundSeconds < 0 || math.IsNaN(s.LowerBoundSeconds) {
		return fmt.Errorf("the lower bound is %g s", s.LowerBoundSeconds)
	}
	switch s.Status {
	case Optimal, Feasible:
		return verifyPlacement(p, s)
	case Infeasible, Unknown:
		if len(s.Stages) > 0 || s.Cost != nil {
			return fmt.Errorf("status %s, but there is a placement of %d stages", s.Status, len(s.Stages))
		}
		if s.Reason == "" {
			return fmt.Errorf("status %s without a reason", s.Status)
		}
		return nil
	default:
		return fmt.Errorf("status %q is none of optimal, feasible, infeasible, unknown", s.Status)
	}
}

func verifyPlacement(p *Problem, s *Solution) error {
	cost, err := Evaluate(p, s.Stages)
	if err != nil {
		return fmt.Errorf("the placement breaks a rule: %w", err)
	}
	if s.Cost == nil {
		return errors.New("the placement has no cost")
	}
	if !reflect.DeepEqual(cost, s.Cost) {
		return fmt.Errorf("the placement costs %.12f s and the solution says %.12f s, or their parts differ",
			cost.BottleneckSeconds, s.Cost.BottleneckSeconds)
	}
	if s.LowerBoundSeconds > cost.BottleneckSeconds {
		return fmt.Errorf("the lower bound, %.12f s, exceeds the cost, %.12f s", s.LowerBoundSeconds, cost.BottleneckSeconds)
	}
	if s.Status == Optimal && s.LowerBoundSeconds < cost.BottleneckSeconds {
		return fmt.Errorf("status optimal, but the lower bound, %.12f s, does not meet the cost, %.12f s",
			s.LowerBoundSeconds, cost.BottleneckSeconds)
	}
	return nil
}
