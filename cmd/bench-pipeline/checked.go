package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// checked is a pipeline under one load, simulated and measured.
type checked struct {
	model, cluster, load string
	// The simulation with times that were measured before, and with those meanwhile.
	before, during outcome
	measured       outcome
	answers        int
	low, high      float64 // of the measured p99, with 95 % confidence
}

// outcome is what a load met: answers per second, and latencies in seconds.
type outcome struct{ throughput, p50, p99 float64 }

// Targets of simulated/measured.
const (
	throughputTarget = 0.03
	p99Target        = 0.15
)

// within says whether a simulation is within the targets.
func (c checked) within(simulated outcome) bool {
	return near(simulated.throughput, c.measured.throughput, throughputTarget) && near(simulated.p99, c.measured.p99, p99Target)
}

func near(a, b, share float64) bool { return a >= b*(1-share) && a <= b*(1+share) }

func (c checked) cells() string {
	ms := func(seconds float64) string { return fmt.Sprintf("%.0f", 1000*seconds) }
	ratios := func(simulated outcome) string {
		return fmt.Sprintf("%.3f\t%.3f\t%.3f", simulated.throughput/c.measured.throughput, simulated.p50/c.measured.p50, simulated.p99/c.measured.p99)
	}
	return strings.Join([]string{
		c.model, c.cluster, c.load, fmt.Sprint(c.answers), fmt.Sprintf("%.2f/s", c.measured.throughput),
		ms(c.measured.p50), ms(c.measured.p99), ms(c.low) + " to " + ms(c.high), ratios(c.before), ratios(c.during),
	}, "\t")
}

func printChecked(rows []checked) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\t\t\tmeasured\t\t\t\t\tsimulated/measured, times of before\t\t\ttimes meanwhile\t\t\t")
	fmt.Fprintln(w, "model\tcluster\tload\tanswers\tthroughput\tp50 ms\tp99 ms\t95 %\tthroughput\tp50\tp99\tthroughput\tp50\tp99\t")
	before, during := 0, 0
	for _, r := range rows {
		fmt.Fprintln(w, r.cells()+"\t")
		if r.within(r.before) {
			before++
		}
		if r.within(r.during) {
			during++
		}
	}
	w.Flush()
	fmt.Printf("Throughput within %.0f %% and p99 within %.0f %%: %d of %d rows with the times of before, and %d with those meanwhile.\n",
		100*throughputTarget, 100*p99Target, before, len(rows), during)
}
