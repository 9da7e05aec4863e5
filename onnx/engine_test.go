package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// engine is ONNX Runtime.
func engine(t testing.TB) *ort.Engine {
	t.Helper()
	e, err := ort.Open(enginetest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// With optimisation disabled, slices in sequence give the whole model's bytes: for
// every cut in two, and for seeded cuts in three, of every model of the builders.
func TestSlicesComputeTheSame(t *testing.T) {
	all, err := modelbuilder.All(5)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			checkAllCuts(t, write(t, m.Model), Options{Dimensions: dimensions(m.Name), Shapes: engine(t)})
		})
	}
}

// At the default level, cuts that split no fusion give the whole model's numbers
// within 1e-5 of the largest; most give its bytes.
func TestOfferedCutsMatchWhenOptimised(t *testing.T) {
	all, err := modelbuilder.All(5)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			path := write(t, m.Model)
			c := mustLoad(t, path, Options{Dimensions: dimensions(m.Name), Shapes: engine(t)})
			inputs := randomInputs(t, c.Inputs, 2)
			want := runFile(t, path, ort.Extended, inputs, names(c.Outputs))
			p := &pieces{chain: c, dir: t.TempDir(), level: ort.Extended, tolerance: 1e-5}
			offered := 0
			for b := 1; b < len(c.Segments); b++ {
				if c.Cuts[b].SplitsFusion || c.Cuts[b].Uncuttable != "" {
					continue
				}
				offered++
				p.check(t, inputs, want, b)
			}
			if offered == 0 {
				t.Error("no cut is offered")
			}
			t.Logf("%d of %d cuts offered, %d of them differ in their last bits", offered, len(c.Segments)-1, p.rounded)
		})
	}
}

// checkAllCuts runs a model whole and cut, and compares bytes.
func checkAllCuts(t *testing.T, path string, o Options) {
	c, err := Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	inputs := randomInputs(t, c.Inputs, 1)
	want := runFile(t, path, ort.Disabled, inputs, names(c.Outputs))
	last := len(c.Segments) - 1
	p := &pieces{chain: c, dir: t.TempDir(), level: ort.Disabled}
	p.check(t, inputs, want)
	uncuttable, step := 0, 1
	if os.Getenv("EDGEPLAN_EVERY_CUT") == "" {
		step += int(c.ParameterBytes>>20) + last/8
	}
	for b := 1; b <= last; b += step {
		if c.Cuts[b].Uncuttable != "" {
			uncuttable++
			continue
		}
		p.check(t, inputs, want, b)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range min(5, max(0, last-1)) {
		a := 1 + random.IntN(last)
		b := 1 + random.IntN(last)
		if a != b && c.Cuts[a].Uncuttable == "" && c.Cuts[b].Uncuttable == "" {
			p.check(t, inputs, want, min(a, b), max(a, b))
		}
	}
	t.Logf("%d segments, %d cuts, %d of them impossible", len(c.Segments), last, uncuttable)
}

// pieces runs slices of a chain from one folder.
type pieces struct {
	chain     *Chain
	dir       string
	level     ort.Level
	tolerance float64 // of the largest value; 0: the same bytes
	n         int
	rounded   int // outputs that differ and are within the tolerance
}

// check runs the slices between cuts and compares with the whole model's results.
func (p *pieces) check(t *testing.T, inputs, want []tensor.Tensor, cuts ...int) {
	t.Helper()
	alive := map[string]tensor.Tensor{}
	for _, in := range inputs {
		alive[in.Name] = in
	}
	first := 0
	for _, end := range append(slices.Clone(cuts), len(p.chain.Segments)) {
		out, err := p.run(t, first, end-1, alive)
		if err != nil {
			t.Fatalf("cut at %v: segments %d to %d: %v", cuts, first, end-1, err)
		}
		alive, first = out, end
	}
	for _, w := range want {
		got := alive[w.Name]
		if bytes.Equal(got.Data, w.Data) {
			continue
		}
		if d, largest := difference(got, w); d <= p.tolerance*largest {
			p.rounded++
		} else {
			t.Errorf("cut at %v: output %q differs: %v and %v, by %g", cuts, w.Name, got.Info, w.Info, d)
		}
	}
}

// difference is the largest difference of two float tensors, and the largest value.
func difference(a, b tensor.Tensor) (d, largest float64) {
	if a.Type != tensor.Float32 || len(a.Data) != len(b.Data) {
		return math.Inf(1), 0
	}
	for i := 0; i < len(a.Data); i += 4 {
		x := float64(math.Float32frombits(binary.LittleEndian.Uint32(a.Data[i:])))
		y := float64(math.Float32frombits(binary.LittleEndian.Uint32(b.Data[i:])))
		d, largest = max(d, math.Abs(x-y)), max(largest, math.Abs(y))
	}
	return d, largest
}

// run runs one slice on the tensors alive before it and gives those alive after it.
func (p *pieces) run(t *testing.T, first, last int, alive map[string]tensor.Tensor) (map[string]tensor.Tensor, error) {
	s, err := p.chain.Slice(first, last)
	if err != nil {
		return nil, err
	}
	path, err := p.chain.WriteSlice(p.dir, s)
	if err != nil {
		return nil, err
	}
	p.n++
	numbered := filepath.Join(p.dir, fmt.Sprintf("slice-%d.onnx", p.n))
	if err := os.Rename(path, numbered); err != nil {
		return nil, err
	}
	var feeds []tensor.Tensor
	for _, in := range s.Inputs {
		feeds = append(feeds, alive[in.Name])
	}
	out := map[string]tensor.Tensor{}
	for _, result := range runFile(t, numbered, p.level, feeds, names(s.Outputs)) {
		out[result.Name] = result
	}
	return out, nil
}

func names(infos []tensor.Info) []string {
	var list []string
	for _, info := range infos {
		list = append(list, info.Name)
	}
	return list
}

// runFile runs a model.
func runFile(t *testing.T, path string, level ort.Level, inputs []tensor.Tensor, outputs []string) []tensor.Tensor {
	t.Helper()
	session, err := engine(t).NewSession(path, ort.SessionOptions{Level: level, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	results, err := session.Run(inputs, outputs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		results[i].Name = outputs[i]
	}
	return results
}

// randomInputs draws inputs; integers are small, since they are often indices.
func randomInputs(t *testing.T, infos []tensor.Info, seed uint64) []tensor.Tensor {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var list []tensor.Tensor
	for _, info := range infos {
		n, err := info.Elements()
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		for range n {
			data = appendRandom(data, info, random)
		}
		list = append(list, tensor.Tensor{Info: info, Data: data})
	}
	return list
}

func appendRandom(data []byte, info tensor.Info, random *rand.Rand) []byte {
	v := 2*random.Float64() - 1
	switch info.Type {
	case tensor.Float32:
		return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
	case tensor.Float64:
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	case tensor.Float16:
		return binary.LittleEndian.AppendUint16(data, uint16(0x3000+random.IntN(0x800)))
	}
	if info.Type == tensor.String {
		return append(binary.LittleEndian.AppendUint32(data, 1), 'a')
	}
	value := uint64(random.IntN(2))
	if strings.Contains(info.Name, "sr") { // a sample rate
		value = 16000
	}
	return append(data, binary.LittleEndian.AppendUint64(nil, value)[:info.Type.Bits()/8]...)
}
