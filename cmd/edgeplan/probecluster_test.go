package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/edgeplan/edgeplan/internal/cpushare"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

var (
	predictClusters = flag.Int("predict-clusters", 5, "BenchmarkProbePredicts: `COUNT` of random clusters")
	predictModels   = flag.String("predict-models", "", "BenchmarkProbePredicts: only models whose names contain this `TEXT`")
	predictOnly     = flag.Int("predict-only", 0, "BenchmarkProbePredicts: only the cluster with this `NUMBER`, of 1 and up")
	predictFrom     = flag.String("predict-from", "", "BenchmarkProbePredicts: take what is known of the kinds from this `DIR`, where -predict-keep kept it")
	predictKeep     = flag.String("predict-keep", "", "BenchmarkProbePredicts: keep measurements and plans in this `DIR`")
	predictSeed     = flag.Uint64("predict-seed", 8, "BenchmarkProbePredicts: `SEED` of the clusters")
	predictFor      = flag.Duration("predict-duration", 20*time.Second, "BenchmarkProbePredicts: measure each pipeline for this `TIME`")
)

// predictAtOnce is how many requests are under way: as many as a gateway lets in, so that no
// resource waits for them.
const predictAtOnce = "32"

// kindShares are the kinds of devices: the share of a core that each has. Less than 0.2 is
// less than the kernel counts in one go (a tick of 4 ms, and periods of 10).
var kindShares = []float64{0.2, 0.25, 0.3, 0.4}

// predictedModel is one of the networks that are predicted. None is made of weights that are
// read once and do little, as a perceptron's: on one machine the devices share a cache, and
// whether those fit into it differs from cluster to cluster.
type predictedModel struct {
	name  string
	build func() (*modelbuilder.Model, error)
}

var predictedModels = []predictedModel{
	{"resnet18", func() (*modelbuilder.Model, error) { return modelbuilder.ResNet(1, modelbuilder.ResNet18()) }},
	{"mobilenet", func() (*modelbuilder.Model, error) { return modelbuilder.MobileNetV2(1) }},
	{"resnet50", func() (*modelbuilder.Model, error) { return modelbuilder.ResNet(1, modelbuilder.ResNet50()) }},
}

// randomCluster is some devices, each of a kind and with a rate at which it sends.
type randomCluster struct {
	kinds []int
	mbps  []int
}

func (c randomCluster) String() string {
	var list []string
	for i, kind := range c.kinds {
		list = append(list, fmt.Sprintf("%.2f at %d", kindShares[kind], c.mbps[i]))
	}
	return strings.Join(list, ", ")
}

// newRandomCluster has 2 to 5 devices that send at 20 to 100 Mbit/s. They take turns on two
// processors, which have to serve the clients too: each gives 0.65 of itself at most.
func newRandomCluster(random *rand.Rand) randomCluster {
	for {
		c, taken := randomCluster{}, [2]float64{}
		for i := range 2 + random.IntN(4) {
			kind := random.IntN(len(kindShares))
			c.kinds, c.mbps = append(c.kinds, kind), append(c.mbps, 20+random.IntN(81))
			taken[i%2] += kindShares[kind]
		}
		if max(taken[0], taken[1]) <= 0.65 {
			return c
		}
	}
}

// predictedRow is what became of one plan.
type predictedRow struct {
	model, cluster      string
	stages              int
	predicted, measured float64
	memory              []float64 // of each stage, predicted over the real peak
	pace                []float64 // of each processor: by what its share grew meanwhile
}

func (r predictedRow) ratio() float64 { return r.measured / r.predicted }

// One device of each kind is probed, alone. Then come clusters of such devices that nobody has
// seen: their nodes and links are probed, plans are made with the times of the kinds, and
// what is deployed is held against what was predicted.
func BenchmarkProbePredicts(b *testing.B) {
	limits, err := cpushare.New()
	if err != nil {
		b.Skipf("needs root and control groups: %v", err)
	}
	b.Cleanup(func() { limits.Remove() }) // with the groups that were made by then
	p := &prediction{limits: &limits, dir: b.TempDir()}
	p.startPace(b)
	for _, m := range predictedModels {
		if strings.Contains(m.name, *predictModels) {
			p.models = append(p.models, m)
		}
	}
	p.build(b)
	if p.measurements == nil {
		b.Run("kinds", p.calibrate)
	}
	random := rand.New(rand.NewPCG(*predictSeed, 1))
	for k := range *predictClusters {
		c := newRandomCluster(random)
		if *predictOnly != 0 && *predictOnly != k+1 {
			continue
		}
		b.Run(fmt.Sprintf("cluster %d", k+1), func(b *testing.B) { p.try(b, c) })
	}
	p.report(b)
}

// prediction is a run of BenchmarkProbePredicts.
type prediction struct {
	limits       *cpushare.Limits
	pace         *cpushare.Pace
	dir          string
	models       []predictedModel
	measurements []byte // of the kinds
	rows         []predictedRow
}

// referenceFile holds what the reference takes nominally, in seconds.
const referenceFile = "reference"

// startPace holds the devices to the speed of this moment, or to that of the run whose
// measurements are taken.
func (p *prediction) startPace(b *testing.B) {
	b.Helper()
	nominal := 0.0
	if *predictFrom != "" {
		text, err := os.ReadFile(filepath.Join(*predictFrom, referenceFile))
		if err == nil {
			nominal, err = strconv.ParseFloat(string(text), 64)
		}
		if err == nil {
			p.measurements, err = os.ReadFile(filepath.Join(*predictFrom, measurement.FileName))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	p.pace, nominal = newPace(b, p.limits, nominal)
	p.keep(b, referenceFile, strconv.AppendFloat(nil, nominal, 'g', -1, 64))
	b.Logf("the reference takes %.2f ms", 1000*nominal)
}

func (p *prediction) build(b *testing.B) {
	b.Helper()
	for _, m := range p.models {
		built, err := m.build()
		if err == nil {
			err = built.WriteFile(p.file(m))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (p *prediction) file(m predictedModel) string { return filepath.Join(p.dir, m.name+".onnx") }

// calibrate probes one device of each kind.
func (p *prediction) calibrate(b *testing.B) {
	all := randomCluster{mbps: make([]int, len(kindShares))}
	for kind := range kindShares {
		all.kinds, all.mbps[kind] = append(all.kinds, kind), 100
	}
	bed := p.newBed(b, all)
	var text strings.Builder
	for i, hostKey := range bed.hostKeys[:bed.n-1] {
		text.WriteString(bed.node(fmt.Sprintf("kind%d", i), i+1, hostKey, ""))
	}
	for _, m := range p.models {
		text.WriteString(p.block(m))
	}
	bed.configure(text.String())
	initFolder(b, bed.folder)
	begun, pace := time.Now(), p.pace.Clock()
	bed.edgeplan(bed.folder, "probe", "-only", "nodes", "-only", "profiles")
	b.ReportMetric(time.Since(begun).Seconds(), "probe-s")
	b.Logf("shares times %.2f", p.factors(pace))
	content, err := os.ReadFile(filepath.Join(bed.folder, measurement.FileName))
	if err != nil {
		b.Fatal(err)
	}
	p.measurements = content
	p.keep(b, measurement.FileName, content)
}

// keep keeps a file to look at.
func (p *prediction) keep(b *testing.B, name string, content []byte) {
	b.Helper()
	if *predictKeep != "" {
		if err := os.MkdirAll(*predictKeep, 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*predictKeep, name), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

func (p *prediction) block(m predictedModel) string {
	return fmt.Sprintf("model %q {\n  source  = %q\n  threads = 1\n}\n", m.name, p.file(m))
}

// try plans and deploys every model on a cluster.
func (p *prediction) try(b *testing.B, c randomCluster) {
	bed := p.newBed(b, c)
	var text strings.Builder
	for kind := range kindShares {
		text.WriteString(bed.node(fmt.Sprintf("kind%d", kind), 200+kind, bed.hostKeys[0], "  enabled       = false\n"))
	}
	last := bed.n - 1
	for i, hostKey := range bed.hostKeys[:last] {
		text.WriteString(bed.node(fmt.Sprintf("n%d", i), i+1, hostKey, fmt.Sprintf("  profile_of    = node.kind%d\n", c.kinds[i])))
	}
	// Its memory holds no stage.
	text.WriteString(bed.node("gateway", bed.n, bed.hostKeys[last], "  memory        = \"40MiB\"\n  compute       = \"1GFLOPS\"\n"))
	bed.write("folder/"+measurement.FileName, p.measurements)
	for i, m := range p.models {
		bed.configure(text.String() + bed.network() + strings.Replace(p.block(m), "threads", "gateway = node.gateway\n  threads", 1))
		if i == 0 {
			initFolder(b, bed.folder)
			bed.edgeplan(bed.folder, "probe", "-only", "nodes", "-only", "links")
			b.Cleanup(func() { bed.edgeplan(bed.folder, "destroy", "-auto-approve") })
		}
		planned := bed.edgeplan(bed.folder, "plan", "-json")
		p.keep(b, fmt.Sprintf("%s-%s.plan.json", filepath.Base(b.Name()), m.name), []byte(planned))
		bed.edgeplan(bed.folder, "apply", "-auto-approve")
		logPlanned(b, planned)
		begun := p.pace.Clock()
		row := bed.measure(m.name)
		row.pace = p.factors(begun)
		row.cluster = c.String()
		p.rows = append(p.rows, row)
		b.Logf("%s: %d stages, %.2f/s predicted, %.2f/s measured, %.3f; memory %.2f; shares times %.2f", row.model, row.stages, row.predicted, row.measured, row.ratio(), row.memory, row.pace)
	}
}

// factors are by what the shares of each processor grew since then.
func (p *prediction) factors(since cpushare.Clock) (list []float64) {
	for processor := range runtime.NumCPU() {
		list = append(list, p.pace.Factor(processor, since))
	}
	return list
}

// logPlanned tells the time that a plan gives every stage and transfer.
func logPlanned(b *testing.B, planned string) {
	b.Helper()
	var document struct {
		Models []struct {
			Stages []struct {
				Node    string  `json:"node"`
				Seconds float64 `json:"seconds"`
				Origin  string  `json:"compute_origin"`
			} `json:"stages"`
			Transfers []struct {
				From    string  `json:"from"`
				To      string  `json:"to"`
				Bytes   int     `json:"bytes"`
				Seconds float64 `json:"seconds"`
			} `json:"transfers"`
		} `json:"models"`
	}
	if err := json.Unmarshal([]byte(planned[max(0, strings.Index(planned, "\n{\n")):]), &document); err != nil || len(document.Models) != 1 {
		b.Fatalf("%v: %s", err, planned)
	}
	for _, s := range document.Models[0].Stages {
		b.Logf("  planned: %s %.1f ms, %s", s.Node, 1000*s.Seconds, s.Origin)
	}
	for _, t := range document.Models[0].Transfers {
		b.Logf("  planned: %s to %s %d bytes %.1f ms", t.From, t.To, t.Bytes, 1000*t.Seconds)
	}
}

// report prints all rows and the errors.
func (p *prediction) report(b *testing.B) {
	b.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "model\tdevices: share of a core at Mbit/s\tstages\tpredicted\tmeasured\tmeasured/predicted\tmemory predicted/peak\tshares times")
	var worst, mean, worstMemory float64
	for _, r := range p.rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.2f/s\t%.2f/s\t%.3f\t%.2f\t%.2f\n", r.model, r.cluster, r.stages, r.predicted, r.measured, r.ratio(), r.memory, r.pace)
		e := math.Abs(r.predicted/r.measured - 1)
		worst, mean = max(worst, e), mean+e/float64(len(p.rows))
		for _, m := range r.memory {
			worstMemory = max(worstMemory, math.Abs(m-1))
		}
	}
	w.Flush()
	b.Logf("\n%s", text.String())
	b.ReportMetric(100*mean, "%-throughput-mean")
	b.ReportMetric(100*worst, "%-throughput-worst")
	b.ReportMetric(100*worstMemory, "%-memory-worst")
	if mean > 0.05 || worst > 0.1 || worstMemory > 0.1 {
		b.Errorf("throughput is %.1f %% off on average and %.1f %% at worst, where 5 and 10 are wanted, and memory %.1f %% at worst, where 10 is",
			100*mean, 100*worst, 100*worstMemory)
	}
}
