package main

import (
	"fmt"
	"math"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/simulation"
)

// The layout is that of bench, with what only a simulation sees behind.

func (c *cli) printSimulation(s *simulated, f *simulateFlags, r *simulation.Result) {
	for i := range s.models {
		c.printSimulated(s, r, i)
		fmt.Fprintln(c.stdout)
	}
	busiest := s.busiest(r)
	facts := [][2]string{
		{"bottleneck", fmt.Sprintf("%s, busy for %s of the time; predicted %s", busiest.Name, busyShare(busiest.Utilisation), s.models[0].bottleneck)},
	}
	if least, most := s.engineJitter(); most > 0 && f.jitter == nil {
		facts = append(facts, [2]string{"jitter", fmt.Sprintf("engines %s to %s, as measured; transfers none, without -jitter",
			quantity.FormatPercent(least), quantity.FormatPercent(most))})
	}
	c.printFacts(facts)
}

// engineJitter is by how much the times of stages vary at the least, and at the most.
func (s *simulated) engineJitter() (least, most float64) {
	least = math.Inf(1)
	for _, m := range s.system.Models {
		for _, st := range m.Stages {
			least, most = min(least, st.Jitter), max(most, st.Jitter)
		}
	}
	return least, most
}

func (c *cli) printSimulated(s *simulated, r *simulation.Result, i int) {
	m, got, system := s.models[i], &r.Models[i], s.system.Models[i]
	fmt.Fprintf(c.stdout, "%s: %d answered, %d failed in %s, %s\n\n", c.paint(c.stdout, bold, "model."+m.name),
		got.Answered, got.Failed, quantity.FormatSeconds(r.Seconds), loopOf(system.Load))
	c.printTable(simulatedStages(s, system, got))
	if rows := simulatedHops(m, got); len(rows) > 1 {
		fmt.Fprintln(c.stdout)
		c.printTable(rows)
	}
	seconds := func(q float64) string { return quantity.FormatSeconds(got.Quantile(q)) }
	throughput := fmt.Sprintf("%s inferences/s, predicted %s", quantity.FormatNumber(got.Throughput), formatPredicted(m.predicted))
	if s.comparable(i) {
		throughput += fmt.Sprintf(", simulated/predicted %.2f", got.Throughput/m.predicted)
	}
	facts := [][2]string{
		{"latency", fmt.Sprintf("p50 %s, p90 %s, p99 %s, longest %s", seconds(0.5), seconds(0.9), seconds(0.99), seconds(1))},
		{"throughput", throughput},
		{"under way", fmt.Sprintf("%s requests, at most %d", quantity.FormatNumber(got.Present.Mean), got.Present.Most)},
	}
	if got.Retries > 0 {
		facts = append(facts, [2]string{"retries", fmt.Sprint(got.Retries)})
	}
	fmt.Fprintln(c.stdout)
	c.printFacts(facts)
}

func loopOf(l simulation.Load) string {
	switch {
	case l.Rate == 0:
		return fmt.Sprintf("closed loop, %d under way", l.Concurrency)
	case l.Even:
		return fmt.Sprintf("open loop, %s requests/s", quantity.FormatNumber(l.Rate))
	}
	return fmt.Sprintf("open loop, %s requests/s at random", quantity.FormatNumber(l.Rate))
}

// comparable says whether a throughput tells something of the prediction: an open loop
// measures its own rate, and closed loops of several models divide what they share evenly,
// which is not how the plan counts.
func (s *simulated) comparable(i int) bool {
	return s.system.Models[i].Load.Rate == 0 && !s.several && s.models[i].predicted > 0
}

func formatPredicted(perSecond float64) string {
	if perSecond == 0 {
		return "any number"
	}
	return quantity.FormatNumber(perSecond)
}

func busyShare(utilisation float64) string { return fmt.Sprintf("%.0f%%", 100*utilisation) }

func simulatedStages(s *simulated, system simulation.Model, r *simulation.ModelResult) [][]string {
	rows := [][]string{{"stage", "device", "utilisation", "compute", "waited", "sent", "queue"}}
	for i, st := range r.Stages {
		rows = append(rows, []string{
			fmt.Sprint(i), s.devices[system.Stages[i].Device], busyShare(st.Utilisation), quantity.FormatSeconds(st.ComputeSeconds),
			quantity.FormatSeconds(st.WaitSeconds), quantity.FormatBytes(int64(st.SentBytes)) + "/s", formatLevel(st.Queue),
		})
	}
	return rows
}

func simulatedHops(m simulatedModel, r *simulation.ModelResult) [][]string {
	rows := [][]string{{"transfer", "over", "utilisation", "time", "queue"}}
	for i, h := range m.hops {
		if h.over != "" {
			got := r.Hops[i]
			rows = append(rows, []string{h.from + " -> " + h.to, h.over, busyShare(got.Utilisation), quantity.FormatSeconds(got.TransferSeconds), formatLevel(got.Queue)})
		}
	}
	return rows
}

// formatLevel is a mean, and the most where there was something.
func formatLevel(l simulation.Level) string {
	if l.Most == 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f, at most %d", l.Mean, l.Most)
}
