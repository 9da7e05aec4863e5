package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/probe"
	ranges "github.com/edgeplan/edgeplan/internal/profile"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
)

// unseen is how many ranges are timed that probe did not choose, for each model.
const unseen = 20

// The ranges that probe chooses predict others: time and memory of ranges between random
// places where a plan may cut, against what they take when they are run after all.
func BenchmarkProbePredictsRanges(b *testing.B) {
	models := map[string]func(uint64) (*modelbuilder.Model, error){
		"resnet18": func(seed uint64) (*modelbuilder.Model, error) {
			return modelbuilder.ResNet(seed, modelbuilder.ResNet18())
		},
		"resnet50": func(seed uint64) (*modelbuilder.Model, error) {
			return modelbuilder.ResNet(seed, modelbuilder.ResNet50())
		},
		"mobilenet": modelbuilder.MobileNetV2,
	}
	for _, name := range sortedKeys(models) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				predictRanges(b, rand.New(rand.NewPCG(7, uint64(len(name)))), models[name])
			}
		})
	}
}

// predictRanges probes a model, times unseen ranges, and reports the errors of what was
// predicted of them.
func predictRanges(b *testing.B, random *rand.Rand, build func(uint64) (*modelbuilder.Model, error)) {
	b.Helper()
	p := probedFolder(b, build)
	ctx := context.Background()
	begun := time.Now()
	if err := p.run(ctx); err != nil {
		b.Fatal(err)
	}
	took, known := time.Since(begun), cloneMeasurements(p.measured)
	chain, model := p.chains["m"], p.config.Models[0]
	times, memory := fitTimes(chain, known.Profiles), fitMemory(chain, known)
	reopen(b, p)
	defer p.probes.Close(ctx)
	var errors, memories []float64
	for range unseen {
		r := randomRange(random, chain, plan.AllowedCuts(chain, model.Optimization))
		m, err := timed(ctx, p, timing{"node.n", model, r})
		if err != nil {
			b.Fatal(err)
		}
		errors = append(errors, times.Seconds(r.first, r.last)/m.Seconds-1)
		weights, activations := bytesOf(chain, r)
		expected := float64(p.knownNode("node.n").EngineBaseBytes) + memory.Bytes(weights, activations)
		memories = append(memories, expected/float64(m.PeakMemoryBytes)-1)
	}
	b.ReportMetric(float64(len(known.Profiles)), "ranges")
	b.ReportMetric(took.Seconds(), "probe-s")
	b.ReportMetric(100*meanOf(errors), "%-time-mean")
	b.ReportMetric(100*worstOf(errors), "%-time-worst")
	b.ReportMetric(100*meanOf(memories), "%-memory-mean")
	b.ReportMetric(100*worstOf(memories), "%-memory-worst")
}

// probedFolder is a folder with one embedded device and one model, ready to be probed.
func probedFolder(t testing.TB, build func(uint64) (*modelbuilder.Model, error)) *probing {
	t.Helper()
	dir := t.TempDir()
	key, err := writeClientKey(filepath.Join(dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.Start(device.Options{Address: "127.0.0.1:0", Home: filepath.Join(dir, "home"), AuthorizedKey: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	host, port, err := net.SplitHostPort(d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	built, err := build(1)
	if err == nil {
		err = built.WriteFile(filepath.Join(dir, "m.onnx"))
	}
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("node \"n\" {\n  address       = %q\n  port          = %s\n  user          = \"pi\"\n  identity_file = \"id\"\n  host_key      = %q\n}\n"+
		"model \"m\" {\n  source  = \"m.onnx\"\n  threads = 1\n}\n", host, port, d.HostKeyLine())
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := run([]string{"-chdir=" + dir, "init"}, strings.NewReader(""), io.Discard, &stderr); code != exitOK {
		t.Fatalf("init: %s", stderr.String())
	}
	c := newCLI(bufio.NewReader(strings.NewReader("")), io.Discard, &stderr)
	c.dir, c.parallelism, c.secrets = dir, defaultParallelism, &redactor{}
	p, err := c.newProbing(context.Background(), probeFlags{maxAge: time.Hour, rangeTime: 5 * time.Second, traffic: "32MiB"})
	if err == nil {
		err = p.begin(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// reopen opens the device for more ranges.
func reopen(t testing.TB, p *probing) {
	t.Helper()
	nodes, err := p.probeNodes([]string{"node.n"})
	if err != nil {
		t.Fatal(err)
	}
	p.probes = deployer.OpenProbes(context.Background(), nodes, p.blobs, "lineage1", p.probeOptions())
	p.progress = newSteps(func(deployer.Event) {})
}

// timed times a range, whether or not it was before.
func timed(ctx context.Context, p *probing, t timing) (measurement.Profile, error) {
	if err := p.timeRange(ctx, t, &probe.Passes{}); err != nil {
		return measurement.Profile{}, err
	}
	if m := p.known(t); m != nil {
		return *m, nil
	}
	return measurement.Profile{}, fmt.Errorf("%s was not timed", t.name())
}

func randomRange(random *rand.Rand, chain *onnx.Chain, allowed []int) segmentRange {
	bounds := append(append([]int{0}, allowed...), len(chain.Segments))
	for {
		a, b := random.IntN(len(bounds)), random.IntN(len(bounds))
		if a < b {
			return segmentRange{bounds[a], bounds[b] - 1}
		}
	}
}

func fitTimes(chain *onnx.Chain, profiles []measurement.Profile) *ranges.Times {
	var segments []ranges.Segment
	for _, s := range chain.Segments {
		segments = append(segments, ranges.Segment{FLOPs: float64(s.FLOPs), WeightBytes: float64(s.WeightBytes), ActivationBytes: float64(s.ActivationBytes)})
	}
	var list []ranges.Timed
	for _, m := range profiles {
		list = append(list, ranges.Timed{First: m.FirstSegment, Last: m.LastSegment, Seconds: m.Seconds, Spread: m.Spread})
	}
	return ranges.FitTimes(segments, list)
}

func fitMemory(chain *onnx.Chain, m *measurement.Measurements) ranges.Memory {
	var peaks []ranges.Peak
	for _, r := range m.Profiles {
		weights, activations := bytesOf(chain, segmentRange{r.FirstSegment, r.LastSegment})
		peaks = append(peaks, ranges.Peak{Bytes: float64(r.PeakMemoryBytes), Base: float64(m.Nodes[0].EngineBaseBytes), Weights: weights, Activations: activations})
	}
	return ranges.FitMemory(peaks, 1)
}

func bytesOf(chain *onnx.Chain, r segmentRange) (weights, activations float64) {
	for _, s := range chain.Segments[r.first : r.last+1] {
		weights += float64(s.WeightBytes)
		activations = max(activations, float64(s.ActivationBytes))
	}
	return weights, activations
}

func meanOf(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += math.Abs(x)
	}
	return sum / float64(len(list))
}

func worstOf(list []float64) float64 {
	worst := 0.0
	for _, x := range list {
		worst = max(worst, math.Abs(x))
	}
	return worst
}
