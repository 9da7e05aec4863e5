package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
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

// Public models that are wrong in some way give one clear error, or work.
func TestBadPublicModels(t *testing.T) {
	folder := publicModels(t)
	tests := map[string][]string{ // what the error says, nothing where the model works
		"trt_bad_graph.onnx":                        nil, // the order chosen here makes it valid
		"trt_bad_graph_with_no_import_domains.onnx": {"opset_import"},
		"trt_custom_op_node.onnx":                   {"NegPos"},
		"trt_empty.onnx":                            {"nothing to run"},
		"trt_ext_weights_missing_data.onnx":         {"does not exist"},
		"trt_unsorted.onnx":                         nil,
	}
	for file, want := range tests {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(folder, "bad", file)
			_, err := Load(t.Context(), path, Options{Shapes: engine(t)})
			if want != nil {
				wantError(t, err, append(want, path)...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// The same with public models of all kinds, where they are at hand. Of the large
// ones some cuts are taken; EDGEPLAN_EVERY_CUT=1 takes all.
func TestPublicModels(t *testing.T) {
	folder := publicModels(t)
	for _, pattern := range []string{"light", "conv", "transformer", "controlflow", "quant", "external", "misc"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern, "*.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			t.Run(pattern+"/"+filepath.Base(path), func(t *testing.T) {
				o := Options{Dimensions: publicDimensions(filepath.Base(path)), Shapes: engine(t)}
				if filepath.Base(path) == "trt_initializer_is_output.onnx" {
					_, err := Load(t.Context(), path, o)
					wantError(t, err, "nothing to run")
					return
				}
				checkAllCuts(t, path, o)
			})
		}
	}
}

// publicModels is the folder with models that this project did not write.
func publicModels(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("EDGEPLAN_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared")
	}
	folder = filepath.Join(folder, "data", "onnx")
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no public models in %s: set EDGEPLAN_SHARED", folder)
	}
	return folder
}

func publicDimensions(file string) map[string]int64 {
	switch file {
	case "super_resolution_10.onnx":
		return map[string]int64{"batch_size": 1}
	case "trt_residual_block.onnx":
		return map[string]int64{"gpu_0/data_0[0]": 1}
	case "tiny_random_gpt2_fp32.onnx":
		return map[string]int64{"batch_size": 1, "past_seq_len": 3, "seq_len": 4, "total_seq_len": 7}
	case "trt_attention_head.onnx":
		return map[string]int64{"batch": 100, "sequence_len": 1}
	case "silero_vad_16k_op15.onnx":
		return map[string]int64{"batch": 1, "sequence": 512}
	case "tract_qtdnn.onnx":
		return map[string]int64{"input[0]": 8}
	case "example_dynamic_axes.onnx":
		return map[string]int64{"input_vectors_dynamic_axes_1": 3}
	case "trt_dim_param.onnx":
		return map[string]int64{"dim0": 3}
	}
	return nil
}

// Parameters of the public models whose weights are made by nodes, as their
// collection states them.
func TestPublicParameterCounts(t *testing.T) {
	folder := publicModels(t)
	for file, want := range map[string]int64{
		"light_resnet50.onnx": 102_440_612, "light_squeezenet.onnx": 4_941_984, "light_inception_v1.onnx": 27_994_208,
		"light_shufflenet.onnx": 5_680_608, "light_bvlc_alexnet.onnx": 243_860_896,
	} {
		c, err := Load(t.Context(), filepath.Join(folder, "light", file), Options{Shapes: engine(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.3f billion FLOPs", file, float64(c.FLOPs)/1e9)
		if c.ParameterBytes != want {
			t.Errorf("%s: %d bytes of parameters, want %d", file, c.ParameterBytes, want)
		}
	}
}

// checkAllCuts runs a model whole and cut, and compares bytes.
func checkAllCuts(t *testing.T, path string, o Options) {
	c, err := Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	inputs := randomInputs(t, c.Inputs, 1)
	want := runFile(t, path, inputs, names(c.Outputs))
	last := len(c.Segments) - 1
	p := &pieces{chain: c, dir: t.TempDir()}
	p.check(t, inputs, want)
	uncuttable, step := 0, 1
	if os.Getenv("EDGEPLAN_EVERY_CUT") == "" {
		step += int(c.ParameterBytes>>23) + last/70 // about 2 s a model
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
	chain *Chain
	dir   string
	n     int
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
		if got := alive[w.Name]; !bytes.Equal(got.Data, w.Data) {
			t.Errorf("cut at %v: output %q differs: %v and %v, by %g", cuts, w.Name, got.Info, w.Info, difference(got, w))
		}
	}
}

func difference(a, b tensor.Tensor) float64 {
	if a.Type != tensor.Float32 || len(a.Data) != len(b.Data) {
		return math.NaN()
	}
	var d float64
	for i := 0; i < len(a.Data); i += 4 {
		x := math.Float32frombits(binary.LittleEndian.Uint32(a.Data[i:]))
		y := math.Float32frombits(binary.LittleEndian.Uint32(b.Data[i:]))
		d = max(d, math.Abs(float64(x-y)))
	}
	return d
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
	for _, result := range runFile(t, numbered, feeds, names(s.Outputs)) {
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

// runFile runs a model with optimisation disabled.
func runFile(t *testing.T, path string, inputs []tensor.Tensor, outputs []string) []tensor.Tensor {
	t.Helper()
	session, err := engine(t).NewSession(path, ort.SessionOptions{Level: ort.Disabled, Threads: 1})
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
