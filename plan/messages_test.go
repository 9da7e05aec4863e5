package plan

import (
	"math"
	"testing"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// messageCase is a model of two segments with cuts of 100, 200 and 300 bytes, of which the first
// segment takes 1 s on pi, the second 0.1 s, and both 4 s.
type messageCase struct {
	name    string
	nodes   []measurement.Node // what was measured of nodes
	serving float64            // processor time of the first segment in a real worker of model m
	on      config.Node
	model   string
	// What both, the first and the second segment alone are to take, and any other stage beside its
	// segments.
	whole, first, second, stage, perByte float64
}

var (
	pi1     = config.Node{Address: "node.pi"}
	likePi  = config.Node{Address: "node.like", ProfileOf: "node.pi"}
	request = measurement.Node{Node: "node.pi", CPUSecondsPerRequest: 0.25}
	perByte = measurement.Node{Node: "node.pi", CPUSecondsPerByte: 0.001}
	both    = measurement.Node{Node: "node.pi", CPUSecondsPerRequest: 0.25, CPUSecondsPerByte: 0.001}
)

var messageCases = []messageCase{
	{"old file", nil, 0, pi1, "m", 4, 1, 0.1, 0, 0},
	{"request only", []measurement.Node{request}, 0, pi1, "m", 4.25, 1.25, 0.35, 0.25, 0},
	{"bytes only", []measurement.Node{perByte}, 0, pi1, "m", 4, 1, 0.1, 0, 0.001},
	// 1.85 - 1 - 0.25 - 0.3 of 300 bytes is 0.001 a byte; the whole has 400. The second has 500, and
	// takes no more than twice what it takes alone.
	{"served, slower", []measurement.Node{both}, 1.85, pi1, "m", 4.65, 1.55, 0.45, 0.25, 0.001},
	{"served, quicker than its parts", []measurement.Node{both}, 1.2, pi1, "m", 4.25, 1.25, 0.35, 0.25, 0.001},
	// 8.45 of 300 bytes counts as 1 s, 1/300 a byte.
	{"served, disturbed", []measurement.Node{both}, 10, pi1, "m", 4.25 + 400.0/300, 2.25, 0.45, 0.25, 0.001},
	{"served, nothing of the node", nil, 1.6, pi1, "m", 4.8, 1.6, 0.2, 0, 0},
	{"profile_of", []measurement.Node{both}, 1.85, likePi, "m", 4.65, 1.55, 0.45, 0.25, 0.001},
	// How much slower it is comes from pi alone, and the request and the bytes from the node itself.
	{"profile_of, dearer itself", []measurement.Node{both, {Node: "node.like", CPUSecondsPerRequest: 0.5, CPUSecondsPerByte: 0.002}},
		1.85, likePi, "m", 4.9, 1.8, 0.7, 0.5, 0.002},
	{"another model", []measurement.Node{both}, 1.85, pi1, "n", 4.25, 1.25, 0.35, 0.25, 0.001},
}

func TestAddMessages(t *testing.T) {
	for _, c := range messageCases {
		t.Run(c.name, func(t *testing.T) {
			n := c.node()
			for _, figure := range []struct {
				name      string
				got, want float64
			}{
				{"the whole", n.RangeSeconds[0].Seconds, c.whole}, {"the first segment", n.RangeSeconds[1].Seconds, c.first},
				{"the second segment", n.RangeSeconds[2].Seconds, c.second},
				{"a stage", n.StageSeconds, c.stage}, {"a byte", n.CPUSecondsPerByte, c.perByte},
			} {
				if math.Abs(figure.got-figure.want) > 1e-9 {
					t.Errorf("%s takes %g s, want %g", figure.name, figure.got, figure.want)
				}
			}
		})
	}
}

// node has had its messages added.
func (c messageCase) node() *solver.Node {
	m := &measurement.Measurements{Nodes: c.nodes}
	for _, model := range []string{"m", "n"} {
		for last, seconds := range []float64{1, 4} {
			p := measurement.Profile{Node: "node.pi", Model: model, LastSegment: last, Seconds: seconds, Threads: 1}
			if last == 0 && model == "m" {
				p.ServingCPUSeconds = c.serving
			}
			m.Profiles = append(m.Profiles, p)
		}
	}
	chain := &onnx.Chain{Segments: make([]onnx.Segment, 2), Cuts: []onnx.Cut{{Bytes: 100}, {Bytes: 200}, {Bytes: 300}}}
	b := &builder{
		in:       Input{Config: &config.Config{Measured: measurement.NewIndex(m)}, Chains: map[string]*onnx.Chain{"m": chain, "n": chain}},
		profiles: map[[2]string]*profiled{},
	}
	model := &config.Model{Name: c.model, Threads: 1}
	n := &solver.Node{RangeSeconds: []solver.Range{
		{First: 0, Last: 1, Seconds: 4}, {First: 0, Last: 0, Seconds: 1}, {First: 1, Last: 1, Seconds: 0.1}}}
	b.addMessages(n, &c.on, model, b.profilesOf(&c.on, model))
	return n
}

// What ranges took more as stages counts over all their bytes, and what one took less counts
// against it: 300 bytes around the first, which takes 1 s alone, and 500 around the second with 2 s.
func TestSlowerOfSeveralRanges(t *testing.T) {
	chain := &onnx.Chain{Segments: make([]onnx.Segment, 2), Cuts: []onnx.Cut{{Bytes: 100}, {Bytes: 200}, {Bytes: 300}}}
	for _, c := range []struct {
		name                string
		first, second, want float64 // seconds as stages, and of a byte
	}{
		{"both more", 1.2, 2.6, 0.8 / 800},
		{"one less", 0.8, 2.6, 0.4 / 800},
		{"as much less as more", 0.5, 2.5, 0},
		{"both less", 0.9, 1.8, 0},
		{"one disturbed", 9, 2.2, 1.2 / 800},
		{"one not served", 0, 2.5, 0.5 / 500},
		{"none served", 0, 0, 0},
	} {
		p := &profiled{list: []*measurement.Profile{{Seconds: 1, ServingCPUSeconds: c.first}, {FirstSegment: 1, LastSegment: 1, Seconds: 2, ServingCPUSeconds: c.second}}}
		if got := p.slower(chain, messageCosts{}); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %g s a byte, want %g", c.name, got, c.want)
		}
	}
}
