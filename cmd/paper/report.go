package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
)

//go:embed report.md.tmpl
var reportText string

// report is what report.md.tmpl takes its numbers from: its methods. It depends on
// nothing but the two tables of the last run, and models that are built anew.
type report struct {
	all   selection
	spent map[timed]spent
	rows  []rowName
	cuts  map[rowName]int // how many the partitioning makes, with nodes enough
}

func newReport(instances []instance, spent map[timed]spent) *report {
	r := &report{spent: spent, cuts: map[rowName]int{}}
	for _, row := range rowsWithTransfers() {
		cuts, _ := row.chain.Partition(row.capacity(), manyNodes)
		r.cuts[rowName{row.chain.Model, row.mib}] = len(cuts)
	}
	for i := range instances {
		in := &instances[i]
		r.all = append(r.all, in)
		if name := (rowName{in.model, in.mib}); !slices.Contains(r.rows, name) {
			r.rows = append(r.rows, name)
		}
	}
	return r
}

func (r *report) write(w io.Writer) error {
	t, err := template.New("paper.md").Parse(reportText)
	if err != nil {
		return err
	}
	return t.Execute(w, r)
}

// The outcomes of an instance.
func kpath(classes int) func(*instance) outcome {
	at := slices.Index(classCounts, classes)
	return func(in *instance) outcome { return in.kpath[at] }
}

func repaired(in *instance) outcome  { return in.repaired }
func greedy(in *instance) outcome    { return in.greedy }
func random(in *instance) outcome    { return in.random }
func ours(in *instance) proof        { return in.ours }
func givenCuts(in *instance) proof   { return in.given }
func trueMemory(in *instance) proof  { return in.inTruth }
func oursTimes(in *instance) outcome { return in.ours.outcome }

// placementBound is the paper's "optimal".
func placementBound(in *instance) (float64, bool) { return in.placementBound, in.placementBound > 0 }

var (
	published20 = times(kpath(mostClasses))
	best        = optimum(ours)
)

// Algorithms that are held against the optimum, as the tables name them.
var compared = []struct {
	name string
	of   func(*instance) outcome
}{
	{"k-path as published", kpath(mostClasses)},
	{"k-path repaired", repaired},
	{"greedy", greedy},
	{"random", random},
}

// table writes rows of cells as Markdown.
type table struct{ strings.Builder }

func (t *table) head(cells ...string) {
	t.row(cells...)
	t.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
}

func (t *table) row(cells ...string) {
	t.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (r rowName) String() string { return fmt.Sprintf("%s, %d MiB", r.model, r.mib) }

// networksOf is the number of networks of each size.
func (r *report) NetworksEach() int { return len(r.all.nodes(sizes[0]).networks()) }

func (r *report) Instances() int { return len(r.all) }
