package plan_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// bare is the cluster of the other tests with everything left to measurements.
const bare = `
node "pi" {
  for_each     = toset(["a", "b", "c"])
  address      = "${each.key}.local"
  architecture = "linux/arm64"
  profile_of   = each.key == "a" ? null : node.pi["a"]
}
network "lan" { nodes = values(node.pi) }
model "m" { source = "m.onnx" }
`

func pi(name string) string { return `node.pi["` + name + `"]` }

// stageCost is what a run of a range costs by itself in the measurements below.
const stageCost = 1e-3

// measuredSeconds of a range, and what its worker takes at its peak.
func measuredSeconds(chain *onnx.Chain, first, last int) (seconds float64, peak int64) {
	seconds, peak = stageCost, 40<<20
	var live int64
	for _, s := range chain.Segments[first : last+1] {
		seconds += float64(s.FLOPs) / 2e9
		peak += 2 * s.WeightBytes
		live = max(live, s.ActivationBytes)
	}
	return seconds, peak + live
}

// probedCluster measures the folder's cluster: a profile of a, all links but one way.
func probedCluster(t *testing.T, dir string, edit func(*measurement.Measurements)) {
	t.Helper()
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	chain, err := onnx.Load(t.Context(), filepath.Join(dir, "m.onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := &measurement.Measurements{}
	for _, from := range []string{"a", "b", "c"} {
		m.Nodes = append(m.Nodes, measurement.Node{Node: pi(from), Architecture: "linux/arm64", Cores: 4, MemoryBytes: 256 << 20,
			MemoryTotalBytes: 512 << 20, EngineBaseBytes: 40 << 20, CPUSecondsPerByte: 1e-9, MeasuredAt: at})
		for _, to := range []string{"a", "b", "c"} {
			if from != to && from+to != "ca" {
				m.Links = append(m.Links, measurement.Link{From: pi(from), To: pi(to), BandwidthBytesPerSecond: 1e8,
					RoundTripSeconds: 0.002, Spread: 0.03, MeasuredAt: at})
			}
		}
	}
	m.Nodes[0].ComputeFLOPPerSecond = 2e9
	l := len(chain.Segments)
	for _, parts := range []int{1, 2, 4} {
		for k := range parts {
			first, last := l*k/parts, l*(k+1)/parts-1
			seconds, peak := measuredSeconds(chain, first, last)
			m.Profiles = append(m.Profiles, measurement.Profile{Node: pi("a"), Model: "m", Digest: chain.Digest, Optimization: "extended",
				FirstSegment: first, LastSegment: last, Seconds: seconds, Spread: 0.05, PeakMemoryBytes: peak, MeasuredAt: at})
		}
	}
	if edit != nil {
		edit(m)
	}
	if err := measurement.Write(dir, m); err != nil {
		t.Fatal(err)
	}
}

// A plan is made of measurements alone: times and memory of ranges that were not
// measured are close to what they would be, and the figures say where they are from.
func TestBuildFromMeasurements(t *testing.T) {
	dir := folder(t, bare)
	probedCluster(t, dir, nil)
	p, diags := build(t, dir, statefile.New())
	if diags.HasErrors() || len(diags) != 1 || !strings.Contains(diags[0].Detail, "1 of its 6 directions") {
		t.Fatal(diags)
	}
	in := input(t, dir, statefile.New())
	m := p.Models[0]
	if len(m.Stages) < 2 {
		t.Fatalf("%d stages; the model is worth dividing", len(m.Stages))
	}
	next := 0
	for i, s := range m.Stages {
		slice := p.Desired.Models["m"].Slices[i]
		want, peak := measuredSeconds(in.Chains["m"], next, slice.LastSegment)
		next = slice.LastSegment + 1
		if s.ComputeOrigin != config.Measured && s.ComputeOrigin != plan.Interpolated {
			t.Errorf("stage %d: the compute is %s", i, s.ComputeOrigin)
		}
		if off := math.Abs(s.Seconds/want - 1); off > 0.15 {
			t.Errorf("stage %d takes %g s by the plan, and %g s", i, s.Seconds, want)
		}
		if s.MemoryOrigin != config.Measured || float64(s.MemoryBytes) < 0.98*float64(peak) || float64(s.MemoryBytes) > 1.1*float64(peak)+3<<20 {
			t.Errorf("stage %d takes %d bytes by the plan (%s), and %d at its peak", i, s.MemoryBytes, s.MemoryOrigin, peak)
		}
	}
	for _, tr := range m.Transfers {
		if tr.BandwidthOrigin != config.Measured || tr.LatencyOrigin != config.Measured || tr.LatencySeconds != 0.001 || tr.Spread != 0.03 {
			t.Errorf("%+v", tr)
		}
		if tr.From == pi("c") && tr.To == pi("a") {
			t.Error("something is sent where no link was measured")
		}
	}
	if !(m.ThroughputLowPerSecond < m.ThroughputPerSecond && m.ThroughputPerSecond < m.ThroughputHighPerSecond) {
		t.Errorf("%g is not between %g and %g", m.ThroughputPerSecond, m.ThroughputLowPerSecond, m.ThroughputHighPerSecond)
	}
	if low := m.ThroughputPerSecond / m.ThroughputLowPerSecond; low > 1.2 {
		t.Errorf("the interval is wide: %g", low)
	}
}

// A stage's runs differ as those of its range did, else as those of most ranges measured there.
func TestBuildTakesDeviations(t *testing.T) {
	dir := folder(t, bare)
	probedCluster(t, dir, func(m *measurement.Measurements) {
		for i := range m.Profiles {
			m.Profiles[i].Deviation = 0.1 * float64(i+1) // of seven ranges; those of a quarter are the last four
		}
		m.Profiles[1].Deviation = 0 // an older file has none
	})
	p, diags := build(t, dir, statefile.New())
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	profiles := input(t, dir, statefile.New()).Config.Measured.Profiles(pi("a"), "m")
	for i, s := range p.Models[0].Stages {
		slice, want := p.Desired.Models["m"].Slices[i], 0.5
		for _, m := range profiles {
			if m.FirstSegment == slice.FirstSegment && m.LastSegment == slice.LastSegment && m.Deviation > 0 {
				want = m.Deviation
			}
		}
		if s.Deviation != want {
			t.Errorf("stage %d: a deviation of %g, want %g", i, s.Deviation, want)
		}
	}
}

// The interval of a measured range is that of its measurement, and a measured range wins
// over the sum of its segments.
func TestBuildTakesMeasuredRanges(t *testing.T) {
	dir := folder(t, `
node "pi" {
  for_each     = toset(["a"])
  address      = "${each.key}.local"
  architecture = "linux/arm64"
}
model "m" { source = "m.onnx" }
`)
	probedCluster(t, dir, func(m *measurement.Measurements) {
		for i := range m.Profiles {
			if m.Profiles[i].FirstSegment == 0 && i == 0 {
				m.Profiles[i].Seconds /= 2 // what the engine gains from seeing all of it
			}
		}
	})
	p := mustBuild(t, dir, statefile.New())
	chain := input(t, dir, statefile.New()).Chains["m"]
	whole, _ := measuredSeconds(chain, 0, len(chain.Segments)-1)
	m := p.Models[0]
	if s := m.Stages[0]; s.ComputeOrigin != config.Measured || math.Abs(s.Seconds-whole/2) > 1e-9 || s.Spread != 0.05 {
		t.Errorf("%+v, want %g s", s, whole/2)
	}
	for got, want := range map[float64]float64{
		m.ThroughputLowPerSecond: m.ThroughputPerSecond / 1.05, m.ThroughputHighPerSecond: m.ThroughputPerSecond / 0.95,
	} {
		if math.Abs(got/want-1) > 1e-6 {
			t.Errorf("an end of the interval is %g, want %g", got, want)
		}
	}
}

// Measurements of another model file, or with other sizes of the model's dimensions, do not
// count, and that is said.
func TestBuildRefusesProfilesOfAnotherModel(t *testing.T) {
	for told, edit := range map[string]func(*measurement.Profile){
		"model.m: 7 measured ranges are of another file":       func(p *measurement.Profile) { p.Digest = strings.Repeat("0", 64) },
		"model.m: 7 measured ranges are with other dimensions": func(p *measurement.Profile) { p.Dimensions = "batch=8" },
	} {
		dir := folder(t, bare)
		probedCluster(t, dir, func(m *measurement.Measurements) {
			for i := range m.Profiles {
				edit(&m.Profiles[i])
			}
		})
		p, diags := build(t, dir, statefile.New())
		if diags.HasErrors() || !slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool { return strings.Contains(d.Detail, told) }) {
			t.Fatalf("%q is not told: %v", told, diags)
		}
		for _, s := range p.Models[0].Stages {
			if s.ComputeOrigin != plan.Assumed || s.MemoryOrigin != plan.Assumed || s.Spread != 0 {
				t.Errorf("%+v", s)
			}
		}
	}
}

// Ranges of segments that the model does not have do not count, and that is said also where
// others count.
func TestBuildTellsOfRangesBeyondTheModel(t *testing.T) {
	for name, test := range map[string]struct {
		profiles int // of which 2 are beyond
		count    bool
	}{"some": {9, true}, "all": {2, false}} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, bare)
			probedCluster(t, dir, func(m *measurement.Measurements) {
				for i := range 2 {
					p := m.Profiles[0]
					p.FirstSegment, p.LastSegment = 1, 1000+i
					m.Profiles = append(m.Profiles, p)
				}
				m.Profiles = m.Profiles[len(m.Profiles)-test.profiles:]
			})
			p, diags := build(t, dir, statefile.New())
			if len(diags) != 2 || !strings.Contains(diags[1].Detail, `holds 2 measured ranges that end beyond them, 1 to 1000 on node.pi["a"] first`) {
				t.Fatalf("want a warning beside that of links: %v", diags)
			}
			if s := p.Models[0].Stages[0]; (s.ComputeOrigin != plan.Assumed) != test.count {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Measuring anew moves figures a little, and that alone deploys nothing.
func TestMeasuringAnewDeploysNothing(t *testing.T) {
	dir := folder(t, bare)
	probedCluster(t, dir, nil)
	first := mustBuild(t, dir, statefile.New())
	probedCluster(t, dir, func(m *measurement.Measurements) {
		for i := range m.Profiles {
			m.Profiles[i].Seconds *= 1.01
			m.Profiles[i].PeakMemoryBytes += 1 << 20
		}
		for i := range m.Nodes {
			m.Nodes[i].EngineBaseBytes += 1 << 20
		}
	})
	second := mustBuild(t, dir, first.Desired)
	if !second.Empty() {
		t.Errorf("%d changes, the first of them %+v", len(second.Changes), second.Changes[0])
	}
}

// What lacks a measurement is told before anything is planned.
func TestBuildWithoutMeasurements(t *testing.T) {
	dir := folder(t, bare)
	p, diags := build(t, dir, statefile.New())
	if p != nil || len(diags) != 2 || !strings.Contains(diags[0].Detail, "edgeplan probe") {
		t.Errorf("got %v", diags)
	}
	if err := os.WriteFile(filepath.Join(dir, measurement.FileName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, diags = build(t, dir, statefile.New()); p != nil || len(diags) != 1 || !strings.Contains(diags[0].Detail, "cut off") {
		t.Errorf("got %v", diags)
	}
}

// Where real workers took more than ranges and queues do, every stage counts with it; where they
// took less, nothing changes.
func TestBuildCountsWhatServingTakes(t *testing.T) {
	memory := func(more int64) (list []int64) {
		dir := folder(t, bare)
		probedCluster(t, dir, func(m *measurement.Measurements) {
			whole, chain := &m.Profiles[0], input(t, dir, statefile.New()).Chains["m"]
			queues := 5 * (chain.Cuts[0].Bytes + chain.Cuts[len(chain.Cuts)-1].Bytes)
			if more != 0 {
				whole.ServingPeakMemoryBytes = whole.PeakMemoryBytes + queues + more
			}
		})
		for _, s := range mustBuild(t, dir, statefile.New()).Models[0].Stages {
			list = append(list, s.MemoryBytes)
		}
		return list
	}
	without, below, above := memory(0), memory(-8<<20), memory(8<<20)
	if !slices.Equal(without, below) {
		t.Errorf("%d bytes become %d where workers took less", without, below)
	}
	for i := range above {
		if more := above[i] - without[i]; more < 7<<20 || more > 9<<20 {
			t.Errorf("stage %d takes %d bytes more, want 8 MiB", i, more)
		}
	}
}

// Two models on one measured cluster: each has times of its own, and an interval.
func TestBuildTwoModelsFromMeasurements(t *testing.T) {
	dir := folder(t, strings.Replace(bare, `model "m" { source = "m.onnx" }`, `
model "m" { source = "m.onnx" }
model "n" { source = "m.onnx" }
`, 1))
	probedCluster(t, dir, nil)
	p := mustBuild(t, dir, statefile.New())
	for _, m := range p.Models {
		if !(m.ThroughputLowPerSecond <= m.ThroughputPerSecond && m.ThroughputPerSecond <= m.ThroughputHighPerSecond) {
			t.Errorf("%s: %g is not between %g and %g", m.Name, m.ThroughputPerSecond, m.ThroughputLowPerSecond, m.ThroughputHighPerSecond)
		}
		for _, s := range m.Stages {
			if measured := s.ComputeOrigin == config.Measured || s.ComputeOrigin == plan.Interpolated; measured != (m.Name == "m") {
				t.Errorf("%s: %+v", m.Name, s)
			}
		}
	}
}
