package main

import (
	"bytes"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/paper"
	"github.com/edgeplan/edgeplan/solver"
)

// committed is the last run.
func committed(t *testing.T) (*options, []instance) {
	t.Helper()
	o := &options{docs: filepath.Join("..", "..", "docs")}
	instances, err := read(o.file("instances.csv"), readInstances)
	if err != nil {
		t.Fatal(err)
	}
	return o, instances
}

// The report and its plots are what the code makes of the tables of the last run.
func TestReportBelongsToTheCode(t *testing.T) {
	o, _ := committed(t)
	again := &options{docs: t.TempDir()}
	if err := os.Mkdir(again.file(""), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"instances.csv", "seconds.csv"} {
		content, err := os.ReadFile(o.file(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(again.file(name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.report(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"paper.md", "paper/bottleneck.svg", "paper/ratio.svg", "paper/classes.svg"} {
		want, err := os.ReadFile(filepath.Join(o.docs, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(again.docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rounded(name, want), rounded(name, got)); diff != "" {
			t.Errorf("%s is not of this code: make paper writes it anew\n%.2000s", name, diff)
		}
	}
}

var fraction = regexp.MustCompile(`(\.\d)\d+`)

// rounded gives the lines of a file, and those of a drawing without the digits that
// machines round differently.
func rounded(name string, content []byte) []string {
	if filepath.Ext(name) == ".svg" {
		content = fraction.ReplaceAll(content, []byte("$1"))
	}
	return strings.Split(string(content), "\n")
}

// A reduced grid gives the instances of the last run.
func TestInstancesBelongToTheCode(t *testing.T) {
	_, instances := committed(t)
	last := map[place]*instance{}
	for i := range instances {
		last[instances[i].place] = &instances[i]
	}
	r := runner{rows: rowsWithTransfers(), limit: time.Minute, parallel: 2, timings: newTimings(), progress: io.Discard}
	some, err := r.run(t.Context(), places(r.rows, sizes[:2], 2))
	if err != nil {
		t.Fatal(err)
	}
	for i := range some {
		was := last[some[i].place]
		if was == nil {
			t.Fatalf("the last run has no %+v", some[i].place)
		}
		if diff := cmp.Diff(was.record(), some[i].record()); diff != "" {
			t.Errorf("%+v was another one in the last run: make paper\n%s", some[i].place, diff)
		}
	}
	if len(some) != 32 {
		t.Errorf("%d instances", len(some))
	}
}

// The last run is the whole grid, and in it nothing is better than what is proven.
func TestNothingBeatsTheOptimum(t *testing.T) {
	_, instances := committed(t)
	if want := places(rowsWithTransfers(), sizes, trials); len(want) != len(instances) {
		t.Fatalf("%d instances, want %d", len(instances), len(want))
	}
	const rounding = 1 + 2e-6 // of the table
	for i := range instances {
		in := &instances[i]
		atLeast := func(what string, x outcome, bound float64) {
			if x.ok() && x.seconds*rounding < bound {
				t.Errorf("%+v: %s has %v, less than %v", in.place, what, x, bound)
			}
		}
		for _, a := range compared {
			if a.name != "random" || in.randomFit.Published { // the others fit by their making
				atLeast(a.name, a.of(in), in.ours.bound)
			}
		}
		for k := range classCounts {
			atLeast("k-path", in.kpath[k], in.given.bound)
		}
		atLeast("greedy", in.greedy, in.given.bound)
		atLeast("the paper's cuts", in.given.outcome, in.ours.bound)
		if in.greedy.ok() && (!in.cutsFit.Published || !in.oursFit.Published) {
			t.Errorf("%+v: cuts fit %+v, ours %+v", in.place, in.cutsFit, in.oursFit)
		}
	}
}

// The solver's problem costs and allows what the paper's terms do.
func TestJointIsThePapersProblem(t *testing.T) {
	for _, row := range rowsWithTransfers() {
		for trial := range 20 {
			at := place{row.chain.Model, row.mib, 10, trial}
			p, err := paper.Random(row.chain, at.network(), row.capacity(), at.draw(1))
			if err != nil {
				t.Fatal(err)
			}
			fit := row.chain.FitOf(p.Cuts, row.capacity())
			for _, c := range []struct {
				name    string
				problem *solver.Problem
				fits    bool
			}{
				{"published memory", joint(row.chain, at.network(), row.capacity()), fit.Published},
				{"true memory", jointTrue(row.chain, at.network(), row.capacity()), fit.True},
				{"given cuts", given(row.chain, at.network(), p.Cuts), true},
			} {
				cost, err := solver.Evaluate(c.problem, stagesOf(row.chain, p))
				if (err == nil) != c.fits {
					t.Fatalf("%+v, %s: fits %v, but %v", at, c.name, c.fits, err)
				}
				if want := p.Bottleneck(row.chain, at.network()); err == nil && math.Abs(cost.BottleneckSeconds/want-1) > 1e-9 {
					t.Errorf("%+v, %s: %v s, want %v", at, c.name, cost.BottleneckSeconds, want)
				}
			}
		}
	}
}

func stagesOf(c *paper.Chain, p *paper.Placement) (out []solver.Placed) {
	first := 0
	for k, v := range p.Nodes {
		last := len(c.Points) - 1
		if k < len(p.Cuts) {
			last = p.Cuts[k]
		}
		out = append(out, solver.Placed{Node: v, FirstSegment: first, LastSegment: last})
		first = last + 1
	}
	return out
}

// An instance can be taken to edgeplan solve, or to any other solver.
func TestProblemFile(t *testing.T) {
	var file bytes.Buffer
	if err := run(t.Context(), []string{"-problem", "ResNet50,64,5,3"}, &file, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, err := solver.ReadProblem(&file)
	if err != nil {
		t.Fatal(err)
	}
	at, row, err := parsePlace("ResNet50,64,5,3")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(joint(row.chain, at.network(), row.capacity()), got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"ResNet50,64,5", "ResNet50,64,5,many", "ResNet50,64,1,0", "ResNet50,64,5,50", "ResNet50,63,5,0", "LeNet,64,5,0"} {
		if err := run(t.Context(), []string{"-problem", bad}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}

// What is written is what is read.
func TestInstancesRoundTrip(t *testing.T) {
	o, instances := committed(t)
	want, err := os.ReadFile(o.file("instances.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := writeInstances(&got, instances); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got.Bytes()) {
		t.Error("instances.csv changes when it is read and written")
	}
}

// Faults in a table name the line.
func TestReadInstancesNamesTheFault(t *testing.T) {
	_, instances := committed(t)
	for column, bad := range map[int]string{1: "big", 4: "slow", 14: "-", 21: "pwx"} {
		record := instances[0].record()
		record[column] = bad
		var content bytes.Buffer
		if err := csv.NewWriter(&content).WriteAll([][]string{columns(), record}); err != nil {
			t.Fatal(err)
		}
		if _, err := readInstances(&content); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q in column %s: error %v", bad, columns()[column], err)
		}
	}
}
