package onnx

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// flopsOf loads a model of the builders and gives the FLOPs of its node of an operator.
func flopsOf(t *testing.T, make func(uint64) (*modelbuilder.Model, error), op string) int64 {
	t.Helper()
	m, err := make(1)
	if err != nil {
		t.Fatal(err)
	}
	return flopsIn(t, mustLoad(t, write(t, m), Options{Shapes: engine(t)}), op)
}

func flopsIn(t *testing.T, c *Chain, op string) int64 {
	t.Helper()
	for _, s := range c.Segments {
		if s.Op == op {
			return s.FLOPs
		}
	}
	t.Fatalf("no segment %s", op)
	return 0
}

// What is inside of a node counts as it would outside: the larger branch of an If, every
// step of a Loop or a Scan, the nodes of a function.
func TestCostsInside(t *testing.T) {
	const matmul, elements = 2 * 4 * 32 * 32, 4 * 32
	tests := []struct {
		op   string
		make func(uint64) (*modelbuilder.Model, error)
		want int64
	}{
		{"If", modelbuilder.If, 2 * matmul},                              // else: two elementwise operators
		{"Loop", modelbuilder.Loop, 3 * (matmul + elements)},             // a product and a sum, three times
		{"Scan", modelbuilder.Scan, 6 * (2*matmul + (1+4+1)*elements)},   // two products, a sum, tanh, a negation, six times
		{"test.local.Squash", modelbuilder.Function, (4 + 1) * elements}, // tanh, and a function that adds
	}
	for _, test := range tests {
		if got := flopsOf(t, test.make, test.op); got != test.want {
			t.Errorf("%s: %d FLOPs, want %d", test.op, got, test.want)
		}
	}
}

// A while loop is a Loop of the largest number of steps there is, and takes far fewer.
func TestCostsWhileLoop(t *testing.T) {
	m, err := modelbuilder.Loop(1)
	if err != nil {
		t.Fatal(err)
	}
	p := m.Proto()
	for _, w := range p.Graph.Initializer {
		if w.GetName() == "trips" {
			w.RawData = binary.LittleEndian.AppendUint64(nil, math.MaxInt64)
		}
	}
	const once = 2*4*32*32 + 4*32
	if got := flopsIn(t, mustLoad(t, writeProto(t, p), Options{Shapes: engine(t)}), "Loop"); got != once {
		t.Errorf("%d FLOPs, want those of one step, %d", got, once)
	}
}

// A function has the attributes that its call gives, and inputs that are left out are
// left out inside.
func TestExpandFunction(t *testing.T) {
	scaled := modelbuilder.Node("LeakyRelu", []string{"a"}, []string{"b"},
		&onnxpb.AttributeProto{Name: proto.String("alpha"), RefAttrName: proto.String("slope")},
		&onnxpb.AttributeProto{Name: proto.String("other"), RefAttrName: proto.String("not given")})
	f := &onnxpb.FunctionProto{
		Name: proto.String("f"), Input: []string{"a", "optional"}, Output: []string{"c"},
		Node: []*onnxpb.NodeProto{scaled, modelbuilder.Node("Clip", []string{"b", "optional"}, []string{"c"})},
	}
	g := expand(f, modelbuilder.Node("f", []string{"x"}, []string{"y"}, modelbuilder.Float("slope", 0.25)))
	if len(g.Input) != 1 || len(g.Output) != 1 || len(g.Node) != 2 {
		t.Fatalf("graph %v", g)
	}
	attrs := g.Node[0].Attribute
	if len(attrs) != 1 || attrs[0].GetName() != "alpha" || attrs[0].GetF() != 0.25 {
		t.Errorf("attributes %v", attrs)
	}
	if g.Node[1].Input[1] != "" {
		t.Errorf("the input left out is %q inside", g.Node[1].Input[1])
	}
	if scaled.Attribute[0].GetRefAttrName() != "slope" {
		t.Error("the function itself was changed")
	}
}

// Functions that never end, or only after very many nodes, are refused: the engine
// would not come back from them.
func TestEndlessFunctions(t *testing.T) {
	call := func(name, from, to string) *onnxpb.NodeProto {
		n := modelbuilder.Node(name, []string{from}, []string{to})
		n.Domain = proto.String("local")
		return n
	}
	function := func(name string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{
			Name: proto.String(name), Domain: proto.String("local"), Input: []string{"a"}, Output: []string{"c"}, Node: nodes,
		}
	}
	name := func(i int) string { return "f" + string(rune('a'+i)) }
	var twice, deep []*onnxpb.FunctionProto
	for i := range 24 {
		twice = append(twice, function(name(i), call(name(i+1), "a", "b"), call(name(i+1), "b", "c")))
	}
	twice = append(twice, function(name(24), modelbuilder.Node("Relu", []string{"a"}, []string{"c"})))
	for i := range 100 {
		deep = append(deep, function(name(i), call(name(i+1), "a", "c")))
	}
	for want, functions := range map[string][]*onnxpb.FunctionProto{
		`function "fa" calls itself`: {function("fa", call("fa", "a", "c"))},
		"more than 1048576 nodes":    twice,
		"more than 64 deep":          deep,
	} {
		p := tiny()
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("local"), Version: proto.Int64(1)})
		p.Graph.Node[0].OpType, p.Graph.Node[0].Domain = proto.String("fa"), proto.String("local")
		p.Functions = functions
		_, err := Load(t.Context(), writeProto(t, p), Options{Shapes: engine(t)})
		wantError(t, err, `"first"`, want)
	}
}

// An operator of somebody's own is kept, costed by size and cut around; what comes after
// it is shaped by the engine, which does not know it. Where the file does not say what
// it makes, the error names it.
func TestForeignOperators(t *testing.T) {
	p := tiny()
	p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("my.own"), Version: proto.Int64(1)})
	p.Graph.Node[0].OpType, p.Graph.Node[0].Domain = proto.String("MatMul"), proto.String("my.own")
	last := modelbuilder.Node("Relu", []string{"y"}, []string{"z"})
	p.Graph.Node = append(p.Graph.Node, last)
	p.Graph.Output = []*onnxpb.ValueInfoProto{modelbuilder.ValueInfo("z", tensor.Float32, 4)}
	c := mustLoad(t, writeProto(t, p), Options{Shapes: engine(t)})
	if got := flopsIn(t, c, "my.own.MatMul"); got != 4 {
		t.Errorf("%d FLOPs, want 4", got)
	}
	for b := 1; b < 3; b++ {
		slicePair(t, c, b)
		if c.Cuts[b].Bytes != 16 || c.Cuts[b].Uncuttable != "" {
			t.Errorf("cut %+v", c.Cuts[b])
		}
	}
	p.Graph.ValueInfo = nil
	_, err := Load(t.Context(), writeProto(t, p), Options{Shapes: engine(t)})
	wantError(t, err, `"first" (my.own.MatMul)`, `"h"`, "value_info")
}

func writeProto(t *testing.T, p *onnxpb.ModelProto) string {
	t.Helper()
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	put(t, path, raw)
	return path
}
