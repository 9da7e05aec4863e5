// Package modelbuilder makes ONNX models: for the demo, for examples, and as the
// inputs of tests. Weights come from a seed, so that the same call gives the same
// file, byte for byte.
package modelbuilder

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Builder collects a graph. Its methods return the names of tensors, to be given
// to later nodes. The first mistake is kept and reported by Model.
type Builder struct {
	seed    uint64
	opset   int64
	graph   *onnxpb.GraphProto
	weights []weight
	infos   map[string]tensor.Info // every tensor whose shape is known
	names   map[string]int         // how often a node name was asked for
	domains map[string]int64       // operator sets besides the default one
	funcs   []*onnxpb.FunctionProto
	err     error
}

// New starts a graph. Weights are drawn from the seed.
func New(name string, seed uint64) *Builder {
	return &Builder{
		seed:    seed,
		opset:   17,
		graph:   &onnxpb.GraphProto{Name: proto.String(name)},
		infos:   map[string]tensor.Info{},
		names:   map[string]int{},
		domains: map[string]int64{},
	}
}

// Opset chooses the version of the default operator set; it is 17 otherwise.
func (b *Builder) Opset(version int64) { b.opset = version }

// Import adds an operator set besides the default one.
func (b *Builder) Import(domain string, version int64) { b.domains[domain] = version }

// Function adds a model-local function.
func (b *Builder) Function(f *onnxpb.FunctionProto) { b.funcs = append(b.funcs, f) }

// Fail keeps the first mistake.
func (b *Builder) Fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// Input declares a graph input. A dimension is an int, an int64, or a string for
// a symbolic one.
func (b *Builder) Input(name string, t tensor.Type, dims ...any) string {
	v := ValueInfo(name, t, dims...)
	b.graph.Input = append(b.graph.Input, v)
	b.infos[name] = describe(v)
	return name
}

// Output makes tensors outputs of the graph, with type and shape where known.
func (b *Builder) Output(names ...string) {
	for _, name := range names {
		b.graph.Output = append(b.graph.Output, valueInfo(name, b.infos))
	}
}

// Describe states type and shape of a tensor that the builder cannot derive.
func (b *Builder) Describe(name string, t tensor.Type, shape ...int64) {
	b.infos[name] = tensor.Info{Name: name, Type: t, Shape: shape}
}

// Info is what is known of a tensor.
func (b *Builder) Info(name string) (tensor.Info, bool) {
	info, ok := b.infos[name]
	return info, ok
}

// Node adds a node with one output, which takes the node's name, and returns it.
func (b *Builder) Node(op string, inputs []string, attrs ...*onnxpb.AttributeProto) string {
	return b.NodeN(op, inputs, 1, attrs...)[0]
}

// NodeN adds a node with n outputs.
func (b *Builder) NodeN(op string, inputs []string, n int, attrs ...*onnxpb.AttributeProto) []string {
	name := b.unique(op)
	outputs := make([]string, n)
	for i := range outputs {
		outputs[i] = name
		if i > 0 {
			outputs[i] = fmt.Sprintf("%s_%d", name, i)
		}
	}
	node := Node(op, inputs, outputs, attrs...)
	node.Name = proto.String(name)
	b.graph.Node = append(b.graph.Node, node)
	b.derive(node)
	return outputs
}

// unique gives names such as conv_3, counted per prefix.
func (b *Builder) unique(prefix string) string {
	b.names[prefix]++
	return fmt.Sprintf("%s_%d", prefix, b.names[prefix])
}

// Domain puts the node added last into an operator domain.
func (b *Builder) Domain(domain string) {
	b.graph.Node[len(b.graph.Node)-1].Domain = proto.String(domain)
}

// Model ends the graph.
func (b *Builder) Model() (*Model, error) {
	if b.err != nil {
		return nil, fmt.Errorf("model %q: %w", b.graph.GetName(), b.err)
	}
	m := &onnxpb.ModelProto{
		IrVersion:    proto.Int64(8),
		ProducerName: proto.String("edgeplan"),
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(b.opset)}},
		Graph:        b.graph,
		Functions:    b.funcs,
	}
	for _, domain := range slices.Sorted(maps.Keys(b.domains)) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{
			Domain: proto.String(domain), Version: proto.Int64(b.domains[domain]),
		})
	}
	return &Model{proto: m, weights: b.weights, infos: b.infos}, nil
}
