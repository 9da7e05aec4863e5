package main

import (
	"fmt"
	"io"
	"slices"
)

// plots draws the figures of the report, by file name.
func (r *report) plots() map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"bottleneck.svg": func(w io.Writer) error { return drawFigure(w, r.bottleneckPanels()) },
		"ratio.svg":      func(w io.Writer) error { return drawFigure(w, r.ratioPanels()) },
		"classes.svg":    func(w io.Writer) error { return drawFigure(w, r.classPanels()) },
	}
}

// bottleneckPanels show the mean bottleneck over the number of nodes, a panel a row.
func (r *report) bottleneckPanels() (out []*panel) {
	for _, row := range r.rows {
		p := &panel{title: row.String(), x: "nodes", y: "mean bottleneck, s", logX: true, logY: true}
		for _, line := range []struct {
			name string
			of   measure
			look look
		}{
			{"joint optimum", times(oursTimes), below}, {"random", times(random), grey},
			{"greedy", times(greedy), blue}, {"k-path as published", published20, orange},
		} {
			s := series{name: line.name, look: line.look}
			for _, n := range sizes {
				s.add(float64(n), r.all.row(row).nodes(n).mean(line.of))
			}
			p.lines = append(p.lines, s)
		}
		f := published[row]
		p.lines = append(p.lines, paperPoints("k-path, the paper's figures", f.kpath, orange),
			paperPoints("random, the paper's figures", f.random, grey))
		out = append(out, p)
	}
	return out
}

func paperPoints(name string, seconds [5]float64, l look) series {
	s := series{name: name, look: l.alone()}
	for i, n := range sizes {
		if seconds[i] > 0 {
			s.add(float64(n), estimate{mean: seconds[i], n: 1})
		}
	}
	return s
}

// ratioPanels show the ratio to the proven optimum over the number of nodes, for the
// rows in which it is not 1, and for all.
func (r *report) ratioPanels() (out []*panel) {
	looks := []look{orange, purple, blue}
	add := func(title string, s selection) {
		p := &panel{title: title, x: "nodes", y: "bottleneck / proven optimum", logX: true, one: true}
		for i, l := range looks {
			line := series{name: compared[i].name, look: l}
			for _, n := range sizes {
				line.add(float64(n), s.nodes(n).mean(times(compared[i].of).over(best)))
			}
			p.lines = append(p.lines, line)
		}
		out = append(out, p)
	}
	for _, row := range r.rowsOffOptimal(mostClasses) {
		add(row.String(), r.all.row(row))
	}
	add("all rows", r.all)
	return out
}

// classPanels show the ratio to the proven optimum over the number of transfer
// classes.
func (r *report) classPanels() (out []*panel) {
	for _, row := range r.rowsOffOptimal(classCounts...) {
		p := &panel{title: row.String(), x: "transfer classes C", y: "k-path / proven optimum", one: true}
		for i, l := range []look{grey, blue, green, purple, orange} {
			line := series{name: fmt.Sprintf("%d nodes", sizes[i]), look: l}
			for _, c := range classCounts {
				line.add(float64(c), r.all.row(row).nodes(sizes[i]).mean(times(kpath(c)).over(best)))
			}
			p.lines = append(p.lines, line)
		}
		out = append(out, p)
	}
	return out
}

// rowsOffOptimal are the rows in which k-path matching is more than 1 % off the optimum
// with one of some numbers of classes.
func (r *report) rowsOffOptimal(classes ...int) (out []rowName) {
	for _, row := range r.rows {
		off := func(c int) bool { return r.all.row(row).mean(times(kpath(c)).over(best)).mean > 1.01 }
		if slices.ContainsFunc(classes, off) {
			out = append(out, row)
		}
	}
	return out
}
