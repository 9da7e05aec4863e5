package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

func bandwidth(from, to string, bytesPerSecond float64) measurement.Link {
	return measurement.Link{From: from, To: to, BandwidthBytesPerSecond: bytesPerSecond, MeasuredAt: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)}
}

// measuringWatch watches a pipeline of a and b, beside c; all are well.
func measuringWatch(out *bytes.Buffer, known ...measurement.Link) *watch {
	state := statefile.New()
	state.Models["m"] = statefile.Model{Release: "r1", Gateway: "a", Slices: []statefile.Slice{{Node: "b"}},
		Prediction: statefile.Prediction{ThroughputPerSecond: 100}}
	cfg := &config.Config{Measured: measurement.NewIndex(&measurement.Measurements{Links: known})}
	w := &watch{cli: &cli{stderr: out, secrets: &redactor{}}, state: state, speeds: speeds{}, evaded: map[string][]string{},
		metrics: newWatchMetrics(), journal: &journal{}, project: &project{config: cfg}, found: map[string]watching.Seen{},
		machine: watching.New(watching.Settings{})}
	for _, node := range []string{"a", "b", "c"} {
		cfg.Nodes = append(cfg.Nodes, &config.Node{Address: node, Enabled: true})
		w.found[node] = watching.Seen{}
	}
	return w
}

// A command that is proposed gets into the log of events: the values of sensitive variables do not.
func TestProposedCommandsHideSecrets(t *testing.T) {
	dir := t.TempDir()
	const declared = "variable \"pin\" {\n  type = number\n  sensitive = true\n}\nvariable \"fps\" {}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(declared), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := variables{{Name: "pin", Value: "471147"}, {Name: "fps", Value: "5"}}
	cfg, diags := config.Load(dir, configOptions(vars))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff([]string{"-var 'pin=…'", "-var fps=5"}, vars.words(cfg)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The links between the devices of a pipeline are measured, and those of a device that a
// plan has kept away from; none of a device that is not well.
func TestWhatIsMeasured(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out)
	tested := func() (list []string) {
		p, err := w.linkProbing(w.nodesOf([]string{"m"}))
		if err != nil {
			t.Fatal(err)
		}
		p.measured = &measurement.Measurements{Links: []measurement.Link{bandwidth("a", "b", 1)}}
		for d := range p.toTest() {
			list = append(list, d.from+d.to)
		}
		slices.Sort(list)
		return list
	}
	w.flags.traffic = "1MiB"
	if diff := cmp.Diff([]string{"ab", "ba"}, tested()); diff != "" {
		t.Errorf("the pipeline's own (-want +got):\n%s", diff)
	}
	w.evade([]string{"m"}, []string{"c"})
	if diff := cmp.Diff([]string{"ab", "ac", "ba", "bc", "ca", "cb"}, tested()); diff != "" {
		t.Errorf("with what was evaded (-want +got):\n%s", diff)
	}
	w.found["c"] = watching.Seen{Health: watching.Away}
	if diff := cmp.Diff([]string{"ab", "ba"}, tested()); diff != "" {
		t.Errorf("without what is away (-want +got):\n%s", diff)
	}
}

// A second attempt does not measure again what the first has measured, and one after an end does.
func TestMeasuredOnceForAllAttempts(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out)
	if age := w.sinceMeasuring(); age != 0 {
		t.Errorf("the first: %s", age)
	}
	w.measuring = w.measuring.Add(-time.Minute)
	w.done(watching.Decision{}, watching.NoPlan)
	if age := w.sinceMeasuring(); age < time.Minute || age > 2*time.Minute {
		t.Errorf("the second, a minute later: %s", age)
	}
	w.done(watching.Decision{}, watching.Unchanged)
	if age := w.sinceMeasuring(); age != 0 {
		t.Errorf("after an end: %s", age)
	}
}

// Plans take what was measured and what was left as fresh. Of a link whose test failed, or that the
// probe was not for, they take nothing that is in the file by now.
func TestKnownLinks(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out)
	w.project.config.Links = []*config.Link{{Between: [2]string{"a", "b"}}, {Between: [2]string{"a", "c"}}}
	w.flags.traffic = "1MiB"
	p, err := w.linkProbing([]string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	now := bandwidth("a", "b", 2)
	now.MeasuredAt = p.now()
	p.flags.maxAge = time.Hour
	p.before = &measurement.Measurements{Links: []measurement.Link{now, bandwidth("b", "a", 3), bandwidth("a", "c", 4), bandwidth("c", "a", 5)}}
	p.measured = p.before
	test := p.toTest()
	p.results = &measurement.Measurements{Links: []measurement.Link{bandwidth("a", "c", 6)}}
	edits := []measurement.Link{bandwidth("a", "b", 7), bandwidth("b", "a", 7), bandwidth("b", "c", 7), bandwidth("c", "a", 7)}
	p.measured = measurement.Merge(&measurement.Measurements{Links: edits}, p.results)
	if diff := cmp.Diff([]measurement.Link{now, bandwidth("a", "c", 6)}, p.knownLinks(test)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Plans take the new links, beside those that they had.
func TestPlansUseWhatWasMeasured(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out, bandwidth("a", "b", 1e6), bandwidth("b", "a", 1e6), bandwidth("a", "c", 1e6))
	as := w.project
	if err := w.useMeasured([]measurement.Link{bandwidth("a", "b", 1e5), bandwidth("b", "a", 1e6)}, errors.New("b -> a: not measured")); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]float64{"b": 1e5, "c": 1e6} {
		if got := w.project.config.Measured.Link("a", to).BandwidthBytesPerSecond; got != want {
			t.Errorf("a to %s: %v", to, got)
		}
	}
	if as.config.Measured.Link("a", "b").BandwidthBytesPerSecond != 1e6 {
		t.Error("what others hold was changed")
	}
	for _, part := range []string{"1 direction measured", "a -> b: 8 Mbps -> 800 kbps (-90%)", "b -> a: not measured"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in %s", part, out.String())
		}
	}
	if err := w.useMeasured(nil, errors.New("nobody answers")); err == nil || !strings.Contains(err.Error(), "nobody answers") {
		t.Errorf("nothing was measured: %v", err)
	}
}

// A bandwidth that is written hides a slow link from plans, and that is said. What a plan
// without changes predicts is what counts from then on.
func TestUnchangedByMeasurements(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out, bandwidth("a", "b", 1e5), bandwidth("b", "a", 8e5))
	w.speeds.of("m", w.state.Models["m"])
	transfer := func(from, to string, origin config.Origin) plan.Transfer {
		return plan.Transfer{From: from, To: to, Via: "network.lan", Bytes: 1e6, Seconds: 1, BandwidthOrigin: origin}
	}
	w.unchanged(watching.Decision{Measure: []string{"m"}}, &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: 12, LatencySeconds: 0.1,
		Transfers: []plan.Transfer{transfer("a", "b", config.Declared), transfer("b", "a", config.Declared), transfer("a", "b", config.Measured), transfer("a", "c", config.Declared)}}}})
	said := out.String()
	if strings.Count(said, "network.lan says") != 1 || !strings.Contains(said, "network.lan says 8 Mbps from a to b, and 800 kbps was measured; what is written counts") {
		t.Error(said)
	}
	if v := w.speeds["m"]; v.predicted != 12 || v.latency != 0.1 {
		t.Errorf("%+v", v)
	}
}

// Without leave to act it says what to type, and measures nothing.
func TestMeasuringIsProposed(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out)
	w.speeds.of("m", w.state.Models["m"]).pace, w.speeds["m"].answers = watching.Pace{Slow: true, Measured: true}, 30
	w.flags.plan.vars = variables{{File: "my site.hcl"}, {Name: "fps", Value: "5"}}
	w.proposeMeasuring(watching.Decision{Measure: []string{"m"}, Exclude: []string{"c"}})
	want := "model.m answers 30 of 100 inferences/s under load; to measure and to plan anew: " +
		"edgeplan probe -again -only links -var-file 'my site.hcl' -var fps=5 -only a -only b && edgeplan apply -var-file 'my site.hcl' -var fps=5 -exclude c"
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s\nwant %s", out.String(), want)
	}
}

// A file of measurements that cannot be read is left as it is, and one probe of a folder
// runs at a time.
func TestMeasuringLosesNothing(t *testing.T) {
	var out bytes.Buffer
	w := measuringWatch(&out)
	w.dir, w.flags.traffic = t.TempDir(), "1MiB"
	if err := os.MkdirAll(w.workDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	path, merge := filepath.Join(w.dir, measurement.FileName), "<<<<<<< HEAD\n"
	if err := os.WriteFile(path, []byte(merge), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.measure(t.Context(), []string{"m"}); err == nil || !strings.Contains(err.Error(), measurement.FileName) {
		t.Errorf("a file in the middle of a merge: %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != merge {
		t.Errorf("it is %q now, %v", content, err)
	}
	unlock, err := w.lockProbe()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := w.measure(t.Context(), []string{"m"}); err == nil || !strings.Contains(err.Error(), "another `edgeplan probe` runs") {
		t.Errorf("beside a probe: %v", err)
	}
}
