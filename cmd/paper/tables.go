package main

import (
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/internal/paper"
)

// Models describes the layer graphs and how many parts the partitioning makes of them.
func (r *report) Models() string {
	t := &table{}
	t.head("model", "layers", "parameters", "candidate points", "MiB by the paper's count",
		"parts at 64", "128", "256", "512 MiB")
	rows := allRows()
	for i := 0; i < len(rows); i += len(capacities) {
		m := rows[i]
		cells := []string{m.chain.Model, fmt.Sprint(len(m.graph.Layers)), thousands(m.graph.Params()),
			fmt.Sprint(len(m.chain.Points)), fmt.Sprintf("%.1f", mebibytes(m.chain.Block))}
		for _, at := range rows[i : i+len(capacities)] {
			cuts, _ := at.chain.Partition(at.capacity(), manyNodes)
			cells = append(cells, fmt.Sprint(len(cuts)+1))
		}
		t.row(cells...)
	}
	return t.String()
}

func mebibytes(bytes []int64) float64 {
	var sum int64
	for _, b := range bytes {
		sum += b
	}
	return float64(sum) / paper.Mebibyte
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bottlenecks holds the means against the published ones.
func (r *report) Bottlenecks() string {
	t := &table{}
	t.head("model, capacity", "nodes", "k-path: paper", "here", "greedy: paper", "here", "random: paper", "here")
	for _, row := range r.rows {
		for i, n := range sizes {
			cells := []string{row.String(), fmt.Sprint(n)}
			for _, f := range r.besidePublished(row, i) {
				cells = append(cells, f.published(), f.here.String()+f.mark())
			}
			t.row(cells...)
		}
	}
	return t.String()
}

// beside is a published mean with the one found here.
type beside struct {
	paper float64
	here  estimate
}

func (b beside) both() bool { return b.paper > 0 && b.here.n > 1 }

func (b beside) published() string {
	if b.paper == 0 {
		return "-"
	}
	return fmt.Sprint(b.paper)
}

func (b beside) mark() string {
	if b.both() && !b.here.agrees(b.paper) {
		return " *"
	}
	return ""
}

// besidePublished are k-path matching, greedy and random of one cell.
func (r *report) besidePublished(row rowName, size int) (out []beside) {
	p, cell := published[row], r.all.row(row).nodes(sizes[size])
	out = append(out, beside{p.kpath[size], cell.mean(published20)})
	out = append(out, beside{p.greedy[size], cell.mean(times(greedy))})
	return append(out, beside{p.random[size], cell.mean(times(random))})
}

// Ratios holds the algorithms against the proven optimum in each cell.
func (r *report) Ratios() string {
	t := &table{}
	head := []string{"model, capacity", "nodes", "optimum, s", "proven"}
	for _, a := range compared {
		head = append(head, a.name)
	}
	t.head(head...)
	for _, row := range r.rows {
		for _, n := range sizes {
			t.row(append([]string{row.String(), fmt.Sprint(n)}, ratioCells(r.all.row(row).nodes(n))...)...)
		}
	}
	for _, n := range sizes {
		t.row(append([]string{"all", fmt.Sprint(n)}, ratioCells(r.all.nodes(n))...)...)
	}
	t.row(append([]string{"all", "all"}, ratioCells(r.all)...)...)
	return t.String()
}

func ratioCells(s selection) []string {
	proven := func(in *instance) bool { return in.ours.proven() }
	cells := []string{"", fmt.Sprintf("%d of %d", s.count(proven), len(s))}
	if e := s.mean(best); e.n > 0 && sameRow(s) {
		cells[0] = e.String()
	}
	for _, a := range compared {
		cells = append(cells, s.mean(times(a.of).over(best)).String())
	}
	return cells
}

func sameRow(s selection) bool {
	other := func(in *instance) bool { return in.model != s[0].model || in.mib != s[0].mib }
	return !slices.ContainsFunc(s, other)
}

// Decisions says what the cuts and what the nodes cost.
func (r *report) Decisions() string {
	t := &table{}
	t.head("model, capacity", "cuts: best nodes for the paper's cuts / joint optimum",
		"nodes: k-path / best nodes for its cuts", "nodes: greedy / best nodes for its cuts", "worst greedy")
	add := func(name string, s selection) {
		nodes := optimum(givenCuts)
		walk := times(greedy).over(nodes)
		t.row(name, s.mean(nodes.over(best)).String(), s.mean(published20.over(nodes)).String(),
			s.mean(walk).String(), fmt.Sprintf("%.2f", s.most(walk)))
	}
	for _, row := range r.rows {
		add(row.String(), r.all.row(row))
	}
	add("all", r.all)
	return t.String()
}

func (s selection) most(m measure) (most float64) {
	for _, in := range s {
		if x, ok := m(in); ok {
			most = max(most, x)
		}
	}
	return most
}

// Classes says what the number of transfer classes does.
func (r *report) Classes() string {
	t := &table{}
	head := []string{"model, capacity"}
	for _, c := range classCounts {
		head = append(head, fmt.Sprintf("C = %d", c))
	}
	t.head(head...)
	add := func(name string, s selection) {
		cells := []string{name}
		for _, c := range classCounts {
			cells = append(cells, s.mean(times(kpath(c)).over(best)).String())
		}
		t.row(cells...)
	}
	for _, row := range r.rows {
		add(row.String(), r.all.row(row))
	}
	add("all", r.all)
	return t.String()
}
