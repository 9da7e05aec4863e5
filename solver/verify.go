package solver

import (
	"errors"
	"fmt"
	"math"
	"reflect"
)

// Verify checks a solution against its problem without trusting how it was
// found: it works everything out again from the definitions, in exact
// arithmetic, and shares nothing with the searches. The placement must keep
// every rule and cost what the solution says, resource by resource; the named
// bottleneck must be the busiest of them; the cost must not lie below the lower
// bound; and the status must agree. It cannot redo the proof of the bound itself,
// but refutes "infeasible" where the problem's own start placement fits.
//
// A placement that breaks a rule gets a *PlacementError.
func Verify(p *Problem, s *Solution) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Models != nil {
		return verifyModels(p, s)
	}
	if !(s.LowerBoundSeconds >= 0) || math.IsInf(s.LowerBoundSeconds, 0) {
		return fmt.Errorf("the lower bound, %g s, is no time", s.LowerBoundSeconds)
	}
	switch s.Status {
	case Optimal, Feasible:
		return verifyPlacement(p, s)
	case Infeasible, Unknown:
		return verifyNothing(p, s)
	default:
		return fmt.Errorf("status %q is none of optimal, feasible, infeasible, unknown", s.Status)
	}
}

// verifyNothing checks a solution without a placement.
func verifyNothing(p *Problem, s *Solution) error {
	switch {
	case len(s.Stages) > 0:
		return fmt.Errorf("status %s, but there is a placement of %d stages", s.Status, len(s.Stages))
	case s.Cost != nil:
		return fmt.Errorf("status %s, but there is a cost of %g s", s.Status, s.Cost.BottleneckSeconds)
	case s.Reason == "":
		return fmt.Errorf("status %s without a reason", s.Status)
	case s.Status == Unknown || len(p.Start) == 0:
		return nil
	}
	if a := newAudit(p, p.Start); a.rules() == nil && a.walk() == nil {
		return errors.New("status infeasible, but the start placement of the problem fits")
	}
	return nil
}

func verifyPlacement(p *Problem, s *Solution) error {
	a := newAudit(p, s.Stages)
	if err := a.rules(); err != nil {
		return fmt.Errorf("the placement breaks a rule: %w", err)
	}
	if err := a.walk(); err != nil {
		return fmt.Errorf("the placement breaks a rule: %w", err)
	}
	if s.Cost == nil {
		return errors.New("the placement has no cost")
	}
	if err := a.compare(s.Cost); err != nil {
		return err
	}
	return errors.Join(verifyBound(s), verifyEvaluate(p, s))
}

// verifyBound compares what is claimed of the optimum with the cost.
func verifyBound(s *Solution) error {
	cost := s.Cost.BottleneckSeconds
	switch {
	case s.LowerBoundSeconds > cost:
		return fmt.Errorf("the lower bound, %.12f s, exceeds the cost, %.12f s", s.LowerBoundSeconds, cost)
	case s.Status == Optimal && s.LowerBoundSeconds < cost:
		return fmt.Errorf("status optimal, but the lower bound, %.12f s, does not meet the cost, %.12f s", s.LowerBoundSeconds, cost)
	}
	return nil
}

// verifyEvaluate asks for the cost of Evaluate to the last bit, where exact
// arithmetic allows for the rounding to picoseconds.
func verifyEvaluate(p *Problem, s *Solution) error {
	cost, err := Evaluate(p, s.Stages)
	if err != nil {
		return fmt.Errorf("the placement keeps every rule, but Evaluate refuses it: %w", err)
	}
	if !reflect.DeepEqual(cost, s.Cost) {
		return errors.New("the cost is within rounding of what the definitions say, but not what Evaluate gives")
	}
	return nil
}
