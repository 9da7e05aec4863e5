package main

import (
	"fmt"
	"strings"

	"github.com/edgeplan/edgeplan/internal/paper"
)

// Failures counts the instances without a bottleneck, by algorithm and reason.
func (r *report) Failures() string {
	t := &table{}
	t.head("algorithm", "placed", memoryError, unmatched, "proven infeasible", "fits one node", "nothing found")
	add := func(name string, of func(*instance) outcome) {
		cells := []string{name}
		for _, word := range []string{"", memoryError, unmatched, infeasible, oneNode, notFound} {
			cells = append(cells, fmt.Sprint(r.all.count(func(in *instance) bool { return of(in).failure == word })))
		}
		t.row(cells...)
	}
	for _, c := range classCounts {
		add(fmt.Sprintf("k-path as published, C = %d", c), kpath(c))
	}
	for _, a := range compared[1:] {
		add(a.name, a.of)
	}
	add("joint optimum", oursTimes)
	add("joint optimum, true memory", func(in *instance) outcome { return in.inTruth.outcome })
	return t.String()
}

// Memory counts the placements that fit by the three counts, and the optimum by the
// true one.
func (r *report) Memory() string {
	t := &table{}
	t.head("model, capacity", "paper's cuts fit: as published", "with whole blocks", "in fact",
		"random fits: as published", "with whole blocks", "in fact", "true-memory optimum: on one node", "proven", "s",
		"k-path as published / it")
	for _, row := range r.rows {
		s := r.all.row(row)
		cells := []string{row.String()}
		cells = append(cells, fitShares(s, greedy, func(in *instance) paper.Fit { return in.cutsFit })...)
		cells = append(cells, fitShares(s, random, func(in *instance) paper.Fit { return in.randomFit })...)
		alone := s.count(func(in *instance) bool { return in.inTruth.failure == oneNode })
		proven := s.count(func(in *instance) bool { return in.inTruth.proven() })
		cells = append(cells, share(alone, len(s)), share(proven, len(s)), s.mean(optimum(trueMemory)).String(),
			s.mean(published20.over(optimum(trueMemory))).String())
		t.row(cells...)
	}
	return t.String()
}

// fitShares are the shares of the placements of an algorithm that fit.
func fitShares(s selection, of func(*instance) outcome, fit func(*instance) paper.Fit) []string {
	placed := s.where(func(in *instance) bool { return of(in).ok() })
	var out []string
	for _, fits := range []func(paper.Fit) bool{
		func(f paper.Fit) bool { return f.Published },
		func(f paper.Fit) bool { return f.Whole },
		func(f paper.Fit) bool { return f.True },
	} {
		out = append(out, share(placed.count(func(in *instance) bool { return fits(fit(in)) }), len(placed)))
	}
	return out
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*float64(n)/float64(of)), ".0") + " %"
}

// Seconds says how long the algorithms took.
func (r *report) Seconds() string {
	t := &table{}
	head := []string{"algorithm"}
	for _, n := range sizes {
		head = append(head, fmt.Sprintf("%d nodes: mean", n), "most")
	}
	t.head(head...)
	for _, name := range timedNames() {
		cells := []string{name}
		for _, n := range sizes {
			s := r.spent[timed{name, n}]
			cells = append(cells, brief(s.mean), brief(s.most))
		}
		t.row(cells...)
	}
	return t.String()
}
