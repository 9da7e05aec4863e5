package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/edgeplan/edgeplan/internal/paper"
)

// The instances as a table: one line each, seconds with six digits, or the word for
// why there are none. The column of a bound is empty where the seconds are proven.

func columns() []string {
	out := []string{"model", "mib", "nodes", "network"}
	for _, c := range classCounts {
		out = append(out, fmt.Sprintf("kpath_%d", c))
	}
	return append(out, "repaired", "greedy", "random", "placement_bound",
		"ours", "ours_bound", "given_cuts", "given_cuts_bound", "true_memory", "true_memory_bound",
		"cuts_fit", "random_fit", "ours_fit")
}

func (in *instance) record() []string {
	out := []string{in.model, fmt.Sprint(in.mib), fmt.Sprint(in.nodes), fmt.Sprint(in.trial)}
	for _, o := range append(in.kpath, in.repaired, in.greedy, in.random) {
		out = append(out, o.String())
	}
	out = append(out, digits(in.placementBound))
	for _, p := range []proof{in.ours, in.given, in.inTruth} {
		out = append(out, p.outcome.String(), p.boundString())
	}
	return append(out, fitString(in.cutsFit), fitString(in.randomFit), fitString(in.oursFit))
}

func parse(s string) float64 {
	x, _ := strconv.ParseFloat(s, 64)
	return x
}

func digits(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

func (o outcome) String() string {
	if !o.ok() {
		return o.failure
	}
	return digits(o.seconds)
}

func (p proof) boundString() string {
	if !p.ok() || p.proven() {
		return ""
	}
	if out := digits(p.bound); parse(out) <= p.bound {
		return out
	}
	return digits(p.bound * (1 - 1e-6)) // never more than is proven
}

// fitString has a letter for each count by which a placement fits.
func fitString(f paper.Fit) string {
	out := ""
	for _, c := range []struct {
		fits   bool
		letter string
	}{{f.Published, "p"}, {f.Whole, "w"}, {f.True, "t"}} {
		if c.fits {
			out += c.letter
		}
	}
	return out
}

func writeInstances(w io.Writer, instances []instance) error {
	out := csv.NewWriter(w)
	records := [][]string{columns()}
	for i := range instances {
		records = append(records, instances[i].record())
	}
	return out.WriteAll(records)
}

func readInstances(r io.Reader) (out []instance, err error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(columns())
	records, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	for n, record := range records[min(1, len(records)):] {
		f := &fields{rest: record}
		out = append(out, f.instance())
		if f.err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, f.err)
		}
	}
	return out, nil
}

// fields reads a record from left to right and keeps the first error.
type fields struct {
	rest []string
	err  error
}

func (f *fields) instance() (in instance) {
	in.model = f.next()
	in.mib, in.nodes, in.trial = int64(f.number()), int(f.number()), int(f.number())
	for range classCounts {
		in.kpath = append(in.kpath, f.outcome())
	}
	in.repaired, in.greedy, in.random = f.outcome(), f.outcome(), f.outcome()
	in.placementBound = f.number()
	in.ours, in.given, in.inTruth = f.proof(), f.proof(), f.proof()
	in.cutsFit, in.randomFit, in.oursFit = f.fit(), f.fit(), f.fit()
	return in
}

func (f *fields) next() string {
	field := f.rest[0]
	f.rest = f.rest[1:]
	return field
}

func (f *fields) number() float64 {
	x, err := strconv.ParseFloat(f.next(), 64)
	if f.err == nil {
		f.err = err
	}
	return x
}

func (f *fields) outcome() outcome {
	switch word := f.rest[0]; word {
	case memoryError, unmatched, oneNode, infeasible, notFound:
		f.next()
		return outcome{failure: word}
	}
	return outcome{seconds: f.number()}
}

func (f *fields) proof() proof {
	p := proof{outcome: f.outcome()}
	p.bound = p.seconds
	if f.rest[0] == "" {
		f.next()
	} else {
		p.bound = f.number()
	}
	return p
}

func (f *fields) fit() (out paper.Fit) {
	for _, letter := range f.next() {
		switch letter {
		case 'p':
			out.Published = true
		case 'w':
			out.Whole = true
		case 't':
			out.True = true
		default:
			f.err = fmt.Errorf("no count is called %q", letter)
		}
	}
	return out
}
