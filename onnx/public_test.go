package onnx

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Public models that are wrong in some way give one clear error, or work.
func TestBadPublicModels(t *testing.T) {
	folder := publicModels(t)
	tests := map[string][]string{ // what the error says, nothing where the model works
		"trt_bad_graph.onnx":                        {"Add_0", "Incompatible dimensions"},
		"trt_bad_graph_with_no_import_domains.onnx": {"opset_import"},
		"trt_custom_op_node.onnx":                   {"NegPos", "opset_import"},
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

// The same with public models of all kinds, where they are at hand: some cuts of
// each, and all with EDGEPLAN_EVERY_CUT=1, which takes a quarter of an hour
// (make sweep-onnx). docs/models.md has the table that it prints.
func TestPublicModels(t *testing.T) {
	folder := publicModels(t)
	total := sweep{}
	table := "| model | segments | D = 0 in two | in three and five | D = 0 at the default level | offered | of these D = 0 |\n|---|---|---|---|---|---|---|\n"
	for _, pattern := range []string{"light", "conv", "transformer", "controlflow", "quant", "external", "misc"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern, "*.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			t.Run(pattern+"/"+filepath.Base(path), func(t *testing.T) {
				got := sweepPublic(t, path)
				table += got.row(filepath.Base(path))
				total.add(got)
			})
		}
	}
	t.Log("\n" + table + total.row("all"))
}

func sweepPublic(t *testing.T, path string) sweep {
	o := Options{Dimensions: publicDimensions(filepath.Base(path)), Shapes: engine(t)}
	c, err := Load(t.Context(), path, o)
	if filepath.Base(path) == "trt_initializer_is_output.onnx" {
		wantError(t, err, "nothing to run")
		return sweep{}
	}
	if err != nil {
		t.Fatal(err)
	}
	how := sample{pairs: 4, multiple: 1}
	switch {
	case os.Getenv("EDGEPLAN_EVERY_CUT") != "":
		how = everything
	case c.ParameterBytes > 16<<20:
		how.pairs = 1
	}
	got := sweepModel(t, c, how)
	t.Log(got)
	for _, b := range got.rounded {
		t.Logf("rounded at %d: %s (%s) | %s (%s)", b, c.Segments[b-1].Node, c.Segments[b-1].Op, c.Segments[b].Node, c.Segments[b].Op)
	}
	for b, cut := range c.Cuts {
		if cut.Uncuttable != "" {
			t.Logf("unsized at %d: %s", b, cut.Uncuttable)
		}
	}
	return got
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

// publicDimensions binds what the public models leave symbolic.
func publicDimensions(file string) map[string]int64 {
	switch file {
	case "super_resolution_10.onnx":
		return map[string]int64{"batch_size": 1}
	case "trt_residual_block.onnx":
		return map[string]int64{"gpu_0/data_0[0]": 1}
	case "tiny_random_gpt2_fp32.onnx":
		return map[string]int64{"batch_size": 1, "past_seq_len": 3, "seq_len": 4, "total_seq_len": 7}
	case "trt_attention_head.onnx":
		return map[string]int64{"batch": 100, "sequence_len": 100}
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

// Parameters of the public models whose weights are made by nodes, as their collection
// states them; and multiply-adds as published: ResNet-50 4.1 billion (torchvision),
// GoogLeNet 1.5 billion (Szegedy et al. 2014), SqueezeNet 1.1 0.36 billion (its
// authors), ShuffleNet 1x with 3 groups 0.137 billion (Zhang et al. 2017); half of the
// FLOPs counted here. AlexNet is published for another size of image.
func TestPublishedCosts(t *testing.T) {
	folder := publicModels(t)
	for file, want := range map[string]struct {
		bytes int64
		giga  float64 // multiply-adds, 0 where nothing is published
	}{
		"light_resnet50.onnx":     {102_440_612, 4.1},
		"light_squeezenet.onnx":   {4_941_984, 0.36},
		"light_inception_v1.onnx": {27_994_208, 1.5},
		"light_shufflenet.onnx":   {5_680_608, 0.137},
		"light_bvlc_alexnet.onnx": {243_860_896, 0},
	} {
		c := mustLoad(t, filepath.Join(folder, "light", file), Options{Shapes: engine(t)})
		if c.ParameterBytes != want.bytes {
			t.Errorf("%s: %d bytes of parameters, want %d", file, c.ParameterBytes, want.bytes)
		}
		got := float64(c.FLOPs) / 2e9
		t.Logf("%s: %.3f billion multiply-adds, published %.3f", file, got, want.giga)
		if want.giga > 0 && math.Abs(got-want.giga) > 0.05*want.giga {
			t.Errorf("%s: %.3f billion multiply-adds, published are %.3f", file, got, want.giga)
		}
	}
}

// The answers published with the light models are those to inputs of ones, which the
// ONNX backend tests feed: two slices give them too.
func TestPublishedOutputs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(publicModels(t), "light", "*_output_0.pb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := ReadTensor(file)
			if err != nil {
				t.Fatal(err)
			}
			c := mustLoad(t, strings.TrimSuffix(file, "_output_0.pb")+".onnx", Options{Shapes: engine(t)})
			p := &pieces{chain: c, dir: t.TempDir(), level: ort.Disabled}
			for _, info := range c.Inputs {
				n, err := info.Elements()
				if err != nil {
					t.Fatal(err)
				}
				ones := slices.Repeat([]float32{1}, int(n))
				p.inputs = append(p.inputs, tensor.Tensor{Info: info, Data: encode(ones)})
			}
			got := p.runAll(t, []int{len(c.Segments) / 2})[c.Outputs[0].Name]
			got.Shape = want.Shape // some are published without the dimensions of size 1
			d, err := tensor.Compare(got, want)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("max abs diff %g, largest value %g, %d of %d elements differ", d.MaxAbs, d.LargestValue, d.Different, len(want.Data)/4)
			if d.MaxAbs > 1e-5*d.LargestValue {
				t.Error("no match")
			}
		})
	}
}
