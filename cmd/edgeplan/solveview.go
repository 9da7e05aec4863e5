package main

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
)

// The JSON of `edgeplan solve -json`. Without a placement there is no
// bottleneck, and what belongs to one is null; a bound may still be proven.
type (
	solutionJSON struct {
		Status            solver.Status    `json:"status"`
		BottleneckSeconds *float64         `json:"bottleneck_seconds"`
		LowerBoundSeconds *float64         `json:"lower_bound_seconds"`
		Gap               *float64         `json:"gap"`
		LatencySeconds    *float64         `json:"latency_seconds"`
		Algorithm         solver.Algorithm `json:"algorithm"`
		Seconds           float64          `json:"seconds"`
		Bottleneck        *string          `json:"bottleneck"`
		Stages            []stageJSON      `json:"stages"`
		Reason            string           `json:"reason"`
		Explain           any              `json:"explain,omitempty"` // see explained
	}
	stageJSON struct {
		Node         string  `json:"node"`
		FirstSegment int     `json:"first_segment"`
		LastSegment  int     `json:"last_segment"`
		Seconds      float64 `json:"seconds"`
		Bytes        int64   `json:"bytes"`
		SendSeconds  float64 `json:"send_seconds"`
	}
)

func newSolutionJSON(p *solver.Problem, s *solver.Solution, seconds float64) solutionJSON {
	out := solutionJSON{Status: s.Status, Algorithm: s.Algorithm, Seconds: seconds, Stages: []stageJSON{}, Reason: s.Reason}
	if s.Status != solver.Infeasible {
		out.LowerBoundSeconds = &s.LowerBoundSeconds
	}
	if s.Cost == nil {
		return out
	}
	gap, name := s.Gap(), p.ResourceName(s.Cost.Bottleneck)
	out.BottleneckSeconds, out.Gap, out.Bottleneck = &s.Cost.BottleneckSeconds, &gap, &name
	out.LatencySeconds = &s.Cost.LatencySeconds
	for k, st := range s.Stages {
		cost := s.Cost.Stages[k]
		out.Stages = append(out.Stages, stageJSON{
			p.NodeName(st.Node), st.FirstSegment, st.LastSegment, cost.Seconds, cost.MemoryBytes, sendSeconds(s.Cost, st),
		})
	}
	return out
}

// sendSeconds is the time of the transfer that a stage begins, to the next stage
// or to the gateway.
func sendSeconds(c *solver.Cost, s solver.Placed) float64 {
	for _, t := range c.Transfers {
		if t.From == s.Node && t.Cut == s.LastSegment+1 {
			return t.Seconds
		}
	}
	return 0
}

func (c *cli) printSolution(p *solver.Problem, s *solver.Solution, answer solutionJSON) {
	fmt.Fprintf(c.stdout, "%s, algorithm %s, %s\n", s.Status, s.Algorithm, quantity.FormatSeconds(answer.Seconds))
	if s.Reason != "" {
		fmt.Fprintf(c.stdout, "%s\n", s.Reason)
	}
	if s.Cost == nil {
		return
	}
	fmt.Fprintf(c.stdout, "\nbottleneck   %.10f s, %s\nlower bound  %.10f s, gap %s\nlatency      %.10f s\n\n", s.Cost.BottleneckSeconds,
		p.ResourceName(s.Cost.Bottleneck), s.LowerBoundSeconds, quantity.FormatPercent(s.Gap()), s.Cost.LatencySeconds)
	rows := [][]string{{"node", "segments", "time", "memory", "send"}}
	for _, st := range answer.Stages {
		rows = append(rows, []string{
			st.Node, fmt.Sprintf("%d .. %d", st.FirstSegment, st.LastSegment), quantity.FormatSeconds(st.Seconds),
			quantity.FormatBytes(st.Bytes), quantity.FormatSeconds(st.SendSeconds),
		})
	}
	printTable(c.stdout, rows)
	if x, ok := answer.Explain.(*plan.Explanation); ok {
		fmt.Fprintln(c.stdout)
		c.printExplanation(x)
	}
}
