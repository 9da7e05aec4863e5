package main

import (
	"fmt"
	"math"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
)

// The JSON of `edgeplan solve -json`. Without a placement there is no
// bottleneck, and what belongs to one is null; a bound may still be proven. A problem
// with models is answered with models, any other with stages.
type (
	solutionJSON struct {
		Status            solver.Status      `json:"status"`
		BottleneckSeconds *float64           `json:"bottleneck_seconds"`
		LowerBoundSeconds *float64           `json:"lower_bound_seconds"`
		Gap               *float64           `json:"gap"`
		LatencySeconds    *float64           `json:"latency_seconds"`
		Algorithm         solver.Algorithm   `json:"algorithm"`
		Seconds           float64            `json:"seconds"`
		Bottleneck        *string            `json:"bottleneck"`
		Stages            *[]stageJSON       `json:"stages,omitempty"`
		Models            *[]solvedModelJSON `json:"models,omitempty"`
		Reason            string             `json:"reason"`
		Explain           any                `json:"explain,omitempty"` // see explained
	}
	solvedModelJSON struct {
		Name               string  `json:"name"`
		RequiredThroughput float64 `json:"required_throughput"`
		// Null when everything takes no time at all.
		Throughput     *float64    `json:"throughput"`
		LatencySeconds float64     `json:"latency_seconds"`
		Stages         []stageJSON `json:"stages"`
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
	out := solutionJSON{Status: s.Status, Algorithm: s.Algorithm, Seconds: seconds, Reason: s.Reason}
	if s.Status != solver.Infeasible {
		out.LowerBoundSeconds = &s.LowerBoundSeconds
	}
	if p.Models != nil {
		models := modelsOf(p, s)
		out.Models = &models
	} else {
		stages := stagesOf(p, s.Stages, s.Cost)
		out.Stages = &stages
	}
	if s.Cost == nil {
		return out
	}
	gap, name := s.Gap(), p.ResourceName(s.Cost.Bottleneck)
	out.BottleneckSeconds, out.Gap, out.Bottleneck = &s.Cost.BottleneckSeconds, &gap, &name
	out.LatencySeconds = &s.Cost.LatencySeconds
	return out
}

func stagesOf(p *solver.Problem, stages []solver.Placed, cost *solver.Cost) []stageJSON {
	out := []stageJSON{}
	for k, st := range stages {
		c := cost.Stages[k]
		out = append(out, stageJSON{
			p.NodeName(st.Node), st.FirstSegment, st.LastSegment, c.Seconds, c.MemoryBytes, sendSeconds(cost, st),
		})
	}
	return out
}

func modelsOf(p *solver.Problem, s *solver.Solution) []solvedModelJSON {
	out := []solvedModelJSON{}
	for k, stages := range s.Placements {
		cost := s.Cost.Models[k]
		m := solvedModelJSON{p.ModelName(k), p.RequiredThroughput(k), &cost.Throughput, cost.Alone.LatencySeconds, stagesOf(p, stages, cost.Alone)}
		if math.IsInf(cost.Throughput, 0) {
			m.Throughput = nil
		}
		out = append(out, m)
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
	if answer.Stages != nil {
		printTable(c.stdout, stageTable(*answer.Stages))
	} else {
		c.printModels(*answer.Models)
	}
	if x, ok := answer.Explain.(*plan.Explanation); ok {
		fmt.Fprintln(c.stdout)
		c.printExplanation(x)
	}
}

func (c *cli) printModels(models []solvedModelJSON) {
	for k, m := range models {
		if k > 0 {
			fmt.Fprintln(c.stdout)
		}
		fmt.Fprintf(c.stdout, "%s: %s inferences/s, %s required\n\n", m.Name, formatThroughput(m.Throughput), quantity.FormatNumber(m.RequiredThroughput))
		printTable(c.stdout, stageTable(m.Stages))
	}
}

func formatThroughput(perSecond *float64) string {
	if perSecond == nil {
		return "any number of"
	}
	return quantity.FormatNumber(*perSecond)
}

func stageTable(stages []stageJSON) [][]string {
	rows := [][]string{{"node", "segments", "time", "memory", "send"}}
	for _, st := range stages {
		rows = append(rows, []string{
			st.Node, fmt.Sprintf("%d .. %d", st.FirstSegment, st.LastSegment), quantity.FormatSeconds(st.Seconds),
			quantity.FormatBytes(st.Bytes), quantity.FormatSeconds(st.SendSeconds),
		})
	}
	return rows
}
