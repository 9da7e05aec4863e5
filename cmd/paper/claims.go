package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Claims holds what the abstract says against what is found here.
func (r *report) Claims() string {
	t := &table{}
	t.head("claim", "paper", "here", "reproduces")
	largest := r.all.nodes(sizes[len(sizes)-1])
	placed := published20
	k, j, x := r.publishedSums()
	below := func(s selection) estimate { return less(s.meanOfSums(placed, times(greedy))) }
	above := func(s selection) estimate { return s.meanOfSums(times(random), placed) }

	t.claim("k-path below greedy, abstract", percent(claimedBelowGreedy), below(r.all).percent(), "%", claimedBelowGreedy*100)
	t.claim("k-path below greedy, published tables at 50 nodes", percent(1-k/j), below(largest).percent(), "%", 100*(1-k/j))
	t.claim("random over k-path, abstract", fmt.Sprintf("%gx", claimedOverRandom), above(r.all), "x", claimedOverRandom)
	t.claim("random over k-path, published tables at 50 nodes", fmt.Sprintf("%.1fx", x/k), above(largest), "x", x/k)
	off := more(r.all.mean(placed.over(placementBound)))
	t.claim("k-path above optimal as the paper defines it, abstract", percent(claimedOffOptimal), off.percent(), "%", claimedOffOptimal*100)
	t.row("k-path above the proven joint optimum", "-", more(r.all.mean(placed.over(best))).percent().String()+" %", "-")
	return t.String()
}

func (t *table) claim(what, paper string, here estimate, unit string, value float64) {
	verdict := "no"
	if here.holds(value) {
		verdict = "yes"
	}
	t.row(what, paper, here.String()+" "+unit, verdict)
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// less is 1 minus an estimate, more is the estimate minus 1.
func less(e estimate) estimate { return estimate{1 - e.mean, e.half, e.n} }
func more(e estimate) estimate { return estimate{e.mean - 1, e.half, e.n} }

// publishedSums adds the published means up over all rows at the largest size.
func (r *report) publishedSums() (kpath, greedy, random float64) {
	last := len(sizes) - 1
	for _, row := range r.rows {
		f := published[row]
		kpath, greedy, random = kpath+f.kpath[last], greedy+f.greedy[last], random+f.random[last]
	}
	return kpath, greedy, random
}

// Agreement counts the published means that agree with those here, in words.
func (r *report) Agreement() string {
	agree, both := 0, 0
	for _, row := range r.rows {
		a, b := r.agreement(row)
		agree, both = agree+a, both+b
	}
	return fmt.Sprintf("%d of %d", agree, both)
}

func (r *report) agreement(row rowName) (agree, both int) {
	for i := range sizes {
		for _, b := range r.besidePublished(row, i) {
			if b.both() {
				both++
				if b.here.agrees(b.paper) {
					agree++
				}
			}
		}
	}
	return agree, both
}

// Departing names the rows where less than half of the published means agree, and says
// how the others do.
func (r *report) Departing() string {
	out, agree, both := "", 0, 0
	for _, row := range r.rows {
		a, b := r.agreement(row)
		if 2*a < b {
			out += fmt.Sprintf(" In the row %s only %d of %d do, for a reason that is not known;", row, a, b)
		} else {
			agree, both = agree+a, both+b
		}
	}
	if out == "" {
		return ""
	}
	return out + fmt.Sprintf(" in the others %d of %d do.", agree, both)
}

// Open counts the joint problems that are not proven.
func (r *report) Open() int {
	return r.all.count(func(in *instance) bool { return !in.ours.proven() })
}

// Proven says how many joint problems are proven.
func (r *report) Proven() string {
	return fmt.Sprintf("%d of %d", len(r.all)-r.Open(), len(r.all))
}

// LargestClasses is the number of classes of the published tables.
func (r *report) LargestClasses() int { return mostClasses }

// RowNames are the rows of the tables.
func (r *report) RowNames() []rowName { return r.rows }

// AllRows and OneNodeRows count the pairs of a model and a capacity.
func (r *report) AllRows() int     { return len(allRows()) }
func (r *report) OneNodeRows() int { return len(allRows()) - len(rowsWithTransfers()) }

// SingleCut counts the rows that the partitioning cuts once.
func (r *report) SingleCut() (n int) {
	for _, cuts := range r.cuts {
		if cuts == 1 {
			n++
		}
	}
	return n
}

// MostCuts is the largest number of cuts of one partition.
func (r *report) MostCuts() int { return slices.Max(slices.Collect(maps.Values(r.cuts))) }

// OneNodeInTruth counts the rows whose model fits one node by the true count.
func (r *report) OneNodeInTruth() (n int) {
	for _, row := range r.rows {
		if s := r.all.row(row); s.count(func(in *instance) bool { return in.inTruth.failure == oneNode }) == len(s) {
			n++
		}
	}
	return n
}

// Limit is the time limit of each search of the solver.
func (r *report) Limit() time.Duration { return timeLimit }

// off says how far an algorithm is above the proven optimum, in the rows with more
// than one cut.
func (r *report) off(of func(*instance) outcome) string {
	many := r.all.where(func(in *instance) bool { return r.cuts[rowName{in.model, in.mib}] > 1 })
	return more(many.mean(times(of).over(best))).percent().String() + " %"
}

// GreedyOff, KPathOff and RepairedOff are that for the algorithms.
func (r *report) GreedyOff() string   { return r.off(greedy) }
func (r *report) KPathOff() string    { return r.off(kpath(mostClasses)) }
func (r *report) RepairedOff() string { return r.off(repaired) }

// Alone counts the instances in which k-path matching failed and greedy did not.
func (r *report) Alone() int {
	k := kpath(mostClasses)
	return r.all.count(func(in *instance) bool { return !k(in).ok() && in.greedy.ok() })
}

// Genuine counts the instances in which no partition was found and none exists.
func (r *report) Genuine() string {
	lost := r.all.where(func(in *instance) bool { return in.greedy.failure == memoryError })
	proven := lost.count(func(in *instance) bool { return in.ours.failure == infeasible })
	return fmt.Sprintf("%d of %d", proven, len(lost))
}
