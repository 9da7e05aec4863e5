package onnx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// tiny is a model of two nodes, to be spoilt: x -> first -> h -> second -> y.
func tiny() *onnxpb.ModelProto {
	info := func(name string) *onnxpb.ValueInfoProto { return modelbuilder.ValueInfo(name, tensor.Float32, 4) }
	first := modelbuilder.Node("Relu", []string{"x"}, []string{"h"})
	first.Name = proto.String("first")
	second := modelbuilder.Node("Add", []string{"h", "w"}, []string{"y"})
	second.Name = proto.String("second")
	return &onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("tiny"), Node: []*onnxpb.NodeProto{first, second},
			Initializer: []*onnxpb.TensorProto{modelbuilder.Tensor("w", tensor.Float32, []int64{4}, make([]float32, 4))},
			Input:       []*onnxpb.ValueInfoProto{info("x")}, Output: []*onnxpb.ValueInfoProto{info("y")},
			ValueInfo: []*onnxpb.ValueInfoProto{info("h")},
		},
	}
}

func external(t *onnxpb.TensorProto, keysAndValues ...string) {
	t.RawData, t.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
	for i := 0; i < len(keysAndValues); i += 2 {
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{
			Key: proto.String(keysAndValues[i]), Value: proto.String(keysAndValues[i+1]),
		})
	}
}

// Every fault of a graph gives one error that names where it is.
func TestBadGraphs(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(p *onnxpb.ModelProto)
		want  []string // in the message
	}{
		{"no graph", func(p *onnxpb.ModelProto) { p.Graph = nil }, []string{"no graph"}},
		{"no nodes", func(p *onnxpb.ModelProto) { p.Graph.Node = nil; p.Graph.Output = nil }, []string{"nothing to run"}},
		{"no operator set", func(p *onnxpb.ModelProto) { p.OpsetImport = nil }, []string{"opset_import"}},
		{"an operator set that is not imported", func(p *onnxpb.ModelProto) { p.Graph.Node[1].Domain = proto.String("some.where") }, []string{`"second"`, `"some.where"`, "opset_import"}},
		{"a sequence", func(p *onnxpb.ModelProto) {
			element := p.Graph.Input[0].Type
			p.Graph.Input = append(p.Graph.Input, &onnxpb.ValueInfoProto{Name: proto.String("many"), Type: &onnxpb.TypeProto{
				Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: element}}}})
		}, []string{`"many"`, "no tensor"}},
		{"dangling", func(p *onnxpb.ModelProto) { p.Graph.Node[0].Input[0] = "nowhere" }, []string{`"first"`, `"nowhere"`, "nothing makes"}},
		{"cycle", func(p *onnxpb.ModelProto) { p.Graph.Node[0].Input[0] = "y" }, []string{"cycle", `"first"`, `"second"`}},
		{"itself", func(p *onnxpb.ModelProto) { p.Graph.Node[0].Input[0] = "h" }, []string{"cycle", `"first"`}},
		{"made twice", func(p *onnxpb.ModelProto) { p.Graph.Node[1].Output[0] = "h" }, []string{`"h"`, "twice", `"first"`, `"second"`}},
		{"input and node", func(p *onnxpb.ModelProto) { p.Graph.Node[0].Output[0] = "x" }, []string{`"x"`, "twice", `"first"`}},
		{"weight and node", func(p *onnxpb.ModelProto) { p.Graph.Node[0].Output[0] = "w" }, []string{`"w"`, "twice", "initializer"}},
		{"weights twice", func(p *onnxpb.ModelProto) {
			p.Graph.Initializer = append(p.Graph.Initializer, p.Graph.Initializer[0])
		}, []string{`"w"`, "twice"}},
		{"output of nothing", func(p *onnxpb.ModelProto) { p.Graph.Output[0].Name = proto.String("z") }, []string{`"z"`, "made by nothing"}},
		{"output twice", func(p *onnxpb.ModelProto) { p.Graph.Output = append(p.Graph.Output, p.Graph.Output[0]) }, []string{`"y"`, "twice"}},
		{"captured from nowhere", func(p *onnxpb.ModelProto) {
			body := &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{modelbuilder.Node("Relu", []string{"lost"}, []string{"found"})}}
			p.Graph.Node[0].Attribute = append(p.Graph.Node[0].Attribute, modelbuilder.Graph("then_branch", body))
		}, []string{`"first"`, `"lost"`}},
		{"absurd dimensions", func(p *onnxpb.ModelProto) {
			p.Graph.ValueInfo[0] = modelbuilder.ValueInfo("h", tensor.Float32, 1<<40, 1<<40)
		}, []string{`"h"`, "63 bits"}},
		{"absurd weight", func(p *onnxpb.ModelProto) { p.Graph.Initializer[0].Dims = []int64{1 << 40, 1 << 40} }, []string{`"w"`, "63 bits"}},
		{"unbound", func(p *onnxpb.ModelProto) {
			p.Graph.Input[0] = modelbuilder.ValueInfo("x", tensor.Float32, "batch", "data.len")
		}, []string{`"batch"`, `"data.len"`, `dimensions = { batch = 1, "data.len" = 1 }`}},
		{"unnamed", func(p *onnxpb.ModelProto) {
			p.Graph.Input[0] = modelbuilder.ValueInfo("x", tensor.Float32, -1)
		}, []string{`dimensions = { "x[0]" = 1 }`}},
		{"no shapes", func(p *onnxpb.ModelProto) { p.Graph.ValueInfo = nil }, []string{`"h"`, "edgeplan init"}},
		{"external outside", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0], "location", "../w.data") },
			[]string{`"w"`, "outside"}},
		{"external absolute", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0], "location", "/etc/hostname") },
			[]string{`"w"`, "outside"}},
		{"external missing", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0], "location", "w.data") },
			[]string{`"w"`, "w.data", "does not exist"}},
		{"external nowhere", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0]) }, []string{`"w"`, "without a location"}},
		{"external short", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0], "location", "short.data") },
			[]string{`"w"`, "short.data", "has 3 bytes"}},
		{"external far", func(p *onnxpb.ModelProto) {
			external(p.Graph.Initializer[0], "location", "short.data", "offset", "9223372036854775807")
		}, []string{`"w"`, "short.data"}},
		{"external offset", func(p *onnxpb.ModelProto) {
			external(p.Graph.Initializer[0], "location", "short.data", "offset", "-1")
		}, []string{`"w"`, `"-1"`, "offset"}},
		{"external pointer", func(p *onnxpb.ModelProto) {
			p.Graph.Initializer[0].Dims = []int64{4096}
			external(p.Graph.Initializer[0], "location", "pointer.data")
		}, []string{`"w"`, "git lfs pull"}},
		{"external link out", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0], "location", "link.data") },
			[]string{`"w"`, "escapes"}},
		{"external folder", func(p *onnxpb.ModelProto) { external(p.Graph.Initializer[0], "location", ".") },
			[]string{`"w"`, "not a regular file"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := tiny()
			test.spoil(p)
			raw, err := proto.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			put(t, filepath.Join(dir, "short.data"), []byte("abc"))
			put(t, filepath.Join(dir, "pointer.data"), []byte(lfsPointer+"v1\noid sha256:00\nsize 16384\n"))
			if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.data")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "bad.onnx")
			put(t, path, raw)
			_, err = Load(t.Context(), path, Options{})
			wantError(t, err, append(test.want, path)...)
		})
	}
}

// The model that the table spoils is good.
func TestTinyIsGood(t *testing.T) {
	raw, err := proto.Marshal(tiny())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiny.onnx")
	put(t, path, raw)
	mustLoad(t, path, Options{})
}

func TestUnknownDimensionIsNamed(t *testing.T) {
	raw, err := proto.Marshal(tiny())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiny.onnx")
	put(t, path, raw)
	_, err = Load(t.Context(), path, Options{Dimensions: map[string]int64{"bach": 1}})
	wantError(t, err, `"bach"`, "no tensor")
}

// Files that are no models, or parts of one.
func TestBadFiles(t *testing.T) {
	big := protowire.AppendVarint(protowire.AppendTag(nil, 7, protowire.BytesType), 10<<30)
	tests := []struct {
		name string
		data []byte
		want []string
	}{
		{"empty", nil, []string{"empty"}},
		{"pointer", []byte(lfsPointer + "v1\noid sha256:00\nsize 3\n"), []string{"git lfs pull"}},
		{"ort", []byte("\x18\x00\x00\x00ORTM\x00\x00\x00\x00"), []string{".ort"}},
		{"zip", []byte("PK\x03\x04archive"), []string{"zip"}},
		{"html", []byte("<!DOCTYPE html><html>"), []string{"web page"}},
		{"text", []byte("this is no model at all\n"), []string{"offset"}},
		{"ten gigabytes", append(big, "only this"...), []string{"offset 0", "10737418240"}},
		{"endless number", []byte("\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), []string{"offset 1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.onnx")
			put(t, path, test.data)
			_, err := Load(t.Context(), path, Options{})
			wantError(t, err, append(test.want, path)...)
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := Load(t.Context(), filepath.Join(t.TempDir(), "none.onnx"), Options{})
		wantError(t, err, "none.onnx", "no such file")
	})
}

// A file cut at any place is an error that says so, or lacks whole fields only.
func TestTruncatedFiles(t *testing.T) {
	m, err := modelbuilder.Branching(1)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.onnx")
	for n := 1; n < len(raw); n += 97 {
		put(t, path, raw[:n])
		if _, err := Load(t.Context(), path, Options{}); err == nil {
			t.Fatalf("the first %d of %d bytes load", n, len(raw))
		}
	}
}

// A model that changes between reading and slicing is not mixed with what it was.
func TestChangedFile(t *testing.T) {
	m, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, m)
	c := mustLoad(t, path, Options{})
	put(t, path, []byte("something else"))
	_, err = c.Slice(0, len(c.Segments)-1)
	wantError(t, err, path, "changed")
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}
