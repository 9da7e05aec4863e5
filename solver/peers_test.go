package solver

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
)

// sharedFolder finds the public data beside the checkout; the test is skipped
// without it.
func sharedFolder(t testing.TB) string {
	t.Helper()
	dir := sharedPath()
	if _, err := os.Stat(filepath.Join(dir, "data", "pipeedge")); err != nil {
		t.Skipf("no data/pipeedge in %s; EDGEPLAN_SHARED names the folder", dir)
	}
	return dir
}

func sharedPath() string {
	if dir := os.Getenv("EDGEPLAN_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared")
}

func readYAML(t testing.TB, path string) cty.Value {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ty, err := yaml.Standard.ImpliedType(src)
	if err != nil {
		t.Fatal(err)
	}
	v, err := yaml.Standard.Unmarshal(src, ty)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func floats(v cty.Value) []float64 {
	var out []float64
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		f, _ := x.AsBigFloat().Float64()
		out = append(out, f)
	}
	return out
}

// pipeEdge writes a problem in the cost model of PipeEdge (usc-isi): a tensor is
// 4 bytes a parameter and batch 8; a link has the lower of both interfaces, in
// 2^20 bits; a stage needs its layers, 3 times its input (once for the first) and
// 3 times its output, strictly below the memory of its device. Strictly below is
// one byte less here, and the first input counts a third, which costs nothing
// else without a gateway.
func pipeEdge(t testing.TB, model string, devices map[string]int) *Problem {
	dir := filepath.Join(sharedFolder(t), "data", "pipeedge")
	m := readYAML(t, filepath.Join(dir, "models.yml")).GetAttr(model)
	types := readYAML(t, filepath.Join(dir, "device_types.yml"))
	const tensor = 4 * 8
	first, _ := m.GetAttr("parameters_in").AsBigFloat().Int64()
	p := &Problem{Name: model, InBuffers: 3, OutBuffers: 3, CutBytes: []int64{first * tensor / 3}}
	for _, n := range floats(m.GetAttr("parameters_out")) {
		p.CutBytes = append(p.CutBytes, int64(n)*tensor)
	}
	for _, mb := range floats(m.GetAttr("mem_MB")) {
		p.SegmentBytes = append(p.SegmentBytes, int64(math.Ceil(mb*(1<<20))))
	}
	for _, name := range []string{"Minnowboard-E3845", "RCC-VE-C2000"} {
		d := types.GetAttr(name)
		mb, _ := d.GetAttr("mem_MB").AsBigFloat().Int64()
		profile := d.GetAttr("model_profiles").GetAttr(model).Index(cty.Zero)
		for range devices[name] {
			p.Nodes = append(p.Nodes, Node{Name: name, MemoryBytes: mb<<20 - 1, SegmentSeconds: floats(profile.GetAttr("time_s"))})
		}
	}
	for range p.Nodes {
		row := make([]float64, len(p.Nodes))
		for v := range row {
			row[v] = 1000 << 20 / 8
		}
		p.Bandwidth = append(p.Bandwidth, row)
	}
	return p
}

// The optima of PipeEdge's own cost model on its own example; its scheduler
// prints 1.726248 for the first.
func TestPipeEdge(t *testing.T) {
	four := map[string]int{"Minnowboard-E3845": 4}
	both := map[string]int{"Minnowboard-E3845": 4, "RCC-VE-C2000": 4}
	for _, c := range []struct {
		model   string
		devices map[string]int
		want    float64
	}{
		{"google/vit-base-patch16-224", both, 1.5487600088},
		{"google/vit-large-patch16-224", both, 5.0428330183},
		{"google/vit-base-patch16-224", four, 3.3542938709},
		{"google/vit-large-patch16-224", four, 11.2282117605},
	} {
		t.Run(strings.ReplaceAll(c.model, "/", "-"), func(t *testing.T) {
			p := pipeEdge(t, c.model, c.devices)
			s, err := Solve(t.Context(), p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(p, s); err != nil {
				t.Error(err)
			}
			if s.Status != Optimal || math.Abs(s.Cost.BottleneckSeconds-c.want) > 5e-11 {
				t.Errorf("%s, %.10f s; want optimal, %.10f s", s.Status, s.Cost.BottleneckSeconds, c.want)
			}
		})
	}
}
