package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// sample says how many cuts of a model are tried.
type sample struct {
	pairs    int // cuts in two at each level, spread over the model
	multiple int // seeded cuts in three, and as many in five
}

// everything is every cut in two, and 20 each in three and five.
var everything = sample{pairs: 1 << 30, multiple: 20}

// sweep is what became of a model's cuts.
type sweep struct {
	segments, uncuttable int
	unsized              int   // cuts that carry what has no size before it runs; they are not offered
	disabled             tally // cuts in two, optimisation disabled
	multiple             tally // in three and five, optimisation disabled
	optimised            tally // in two, default level
	offered              int   // of these, cuts that split no fusion
	rounded              []int // offered positions whose outputs differ within the tolerance
}

// tally counts cuts by how the outputs compare with the whole model's.
type tally struct {
	tried, exact int
	worst        float64 // largest difference as a share of the largest value
}

func (s sweep) String() string {
	return fmt.Sprintf("%d segments, %d cuts impossible, %d unsized; disabled: %d of %d cuts in two and %d of %d in three and five exact; "+
		"default level: %d of %d exact, worst %.1e of the largest value; %d offered, %d of them rounded %v",
		s.segments, s.uncuttable, s.unsized, s.disabled.exact, s.disabled.tried, s.multiple.exact, s.multiple.tried,
		s.optimised.exact, s.optimised.tried, s.optimised.worst, s.offered, len(s.rounded), s.rounded)
}

// row is a line of a table.
func (s sweep) row(name string) string {
	return fmt.Sprintf("| %s | %d | %d of %d | %d of %d | %d of %d | %d | %d |\n", name, s.segments, s.disabled.exact, s.disabled.tried,
		s.multiple.exact, s.multiple.tried, s.optimised.exact, s.optimised.tried, s.offered, s.offered-len(s.rounded))
}

// add adds up what became of several models' cuts.
func (s *sweep) add(other sweep) {
	s.segments += other.segments
	s.uncuttable += other.uncuttable
	s.unsized += other.unsized
	s.offered += other.offered
	s.rounded = append(s.rounded, other.rounded...)
	for to, from := range map[*tally]tally{&s.disabled: other.disabled, &s.multiple: other.multiple, &s.optimised: other.optimised} {
		to.tried, to.exact, to.worst = to.tried+from.tried, to.exact+from.exact, max(to.worst, from.worst)
	}
}

// sweepModel cuts a model at many places, runs the slices, and fails where they do
// not compute the same: not the same bytes with optimisation disabled, or not a
// match at the default level.
func sweepModel(t *testing.T, c *Chain, how sample) sweep {
	t.Helper()
	s := sweep{segments: len(c.Segments)}
	var possible []int
	for b := 1; b < len(c.Segments); b++ {
		if _, err := c.Slice(0, b-1); err != nil {
			s.uncuttable++
			t.Logf("no cut at %d: %v", b, err)
			continue
		}
		possible = append(possible, b)
		if c.Cuts[b].Uncuttable != "" {
			s.unsized++
		}
	}
	plain, optimised := newPieces(t, c, ort.Disabled), newPieces(t, c, ort.Extended)
	plain.check(t, &tally{})
	for _, b := range spread(possible, how.pairs) {
		plain.check(t, &s.disabled, b)
		if exact := optimised.check(t, &s.optimised, b); !c.Cuts[b].SplitsFusion && c.Cuts[b].Uncuttable == "" {
			s.offered++
			if !exact {
				s.rounded = append(s.rounded, b)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, parts := range []int{3, 5} {
		for n := 0; n < how.multiple && len(possible) >= parts-1; n++ {
			var cuts []int
			for _, i := range random.Perm(len(possible))[:parts-1] {
				cuts = append(cuts, possible[i])
			}
			slices.Sort(cuts)
			plain.check(t, &s.multiple, cuts...)
		}
	}
	return s
}

// spread picks n of a list, evenly.
func spread(list []int, n int) []int {
	if n >= len(list) {
		return list
	}
	picked := make([]int, 0, n)
	for i := range n {
		picked = append(picked, list[(2*i+1)*len(list)/(2*n)])
	}
	return picked
}

// pieces runs slices of a chain, and knows what the whole model gives.
type pieces struct {
	chain  *Chain
	dir    string
	level  ort.Level
	inputs []tensor.Tensor
	want   []tensor.Tensor
}

func newPieces(t *testing.T, c *Chain, level ort.Level) *pieces {
	t.Helper()
	inputs := randomInputs(t, c.Inputs, 1)
	return &pieces{chain: c, dir: t.TempDir(), level: level, inputs: inputs, want: runFile(t, c.Path, level, inputs, names(c.Outputs))}
}

// check runs the slices between cuts, compares with the whole model's results, and
// counts. It says whether the bytes are the same.
func (p *pieces) check(t *testing.T, count *tally, cuts ...int) bool {
	t.Helper()
	count.tried++
	exact := true
	got := p.runAll(t, cuts)
	for _, w := range p.want {
		if g := got[w.Name]; !bytes.Equal(g.Data, w.Data) {
			exact = false
			count.worst = max(count.worst, p.compare(t, g, w, cuts))
		}
	}
	if exact {
		count.exact++
	}
	return exact
}

// compare gives the largest difference as a share of the largest value, and fails
// where that is no match.
func (p *pieces) compare(t *testing.T, got, want tensor.Tensor, cuts []int) float64 {
	t.Helper()
	got.Name = want.Name
	d, err := tensor.Compare(got, want)
	if err != nil {
		t.Errorf("cut at %v: %v", cuts, err)
		return 0
	}
	if d.MaxAbs > p.tolerance(want.Type, cuts)*d.LargestValue {
		t.Errorf("cut at %v, optimisation %s: output %q differs by %g, largest value %g", cuts, p.level, want.Name, d.MaxAbs, d.LargestValue)
	}
	return d.MaxAbs / d.LargestValue
}

// tolerance is the share of the largest value that may differ: 1e-5 for float32 when
// optimised, else nothing. A cut that carries float16 may always cost two units in the
// last place: the engine computes float16 in float32 and rounds where a model ends.
func (p *pieces) tolerance(of tensor.Type, cuts []int) float64 {
	for _, b := range cuts {
		for _, info := range p.chain.Cuts[b].Tensors {
			if info.Type == tensor.Float16 {
				return map[tensor.Type]float64{tensor.Float32: 2.0 / (1 << 10), tensor.Float16: 2.0 / (1 << 10), tensor.BFloat16: 2.0 / (1 << 7)}[of]
			}
		}
	}
	if p.level != ort.Disabled && of == tensor.Float32 {
		return 1e-5
	}
	return 0
}

// runAll runs the slices between cuts one after the other.
func (p *pieces) runAll(t *testing.T, cuts []int) map[string]tensor.Tensor {
	t.Helper()
	alive := map[string]tensor.Tensor{}
	for _, in := range p.inputs {
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
	return alive
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
	var feeds []tensor.Tensor
	for _, in := range s.Inputs {
		feeds = append(feeds, alive[in.Name])
	}
	out := map[string]tensor.Tensor{}
	for _, result := range runFile(t, path, p.level, feeds, names(s.Outputs)) {
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
		return binary.LittleEndian.AppendUint16(data, uint16(0x3000+random.IntN(0xc00)|random.IntN(2)<<15))
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
