package onnx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Slice makes a model of the segments first to last, both included.
func (c *Chain) Slice(first, last int) (*Slice, error) {
	return c.slice(first, last, func(p *payload) (string, error) { return p.digest(context.Background()) })
}

// slice makes a model whose weights are in files of the names that name gives.
func (c *Chain) slice(first, last int, name func(*payload) (string, error)) (*Slice, error) {
	if first < 0 || last < first || last >= len(c.Segments) {
		return nil, fmt.Errorf("%s: no slice from segment %d to %d: there are segments 0 to %d", c.Path, first, last, len(c.Segments)-1)
	}
	s := &slicer{model: c.model, name: name, blobs: map[string]Blob{}, needed: map[int]bool{}}
	slice, err := s.slice(c.model.order[first:last+1], c.Cuts[first].Tensors, c.Cuts[last+1].Tensors)
	if err != nil {
		return nil, fmt.Errorf("%s: slice from segment %d (%s) to %d (%s): %w",
			c.Path, first, c.Segments[first].Node, last, c.Segments[last].Node, err)
	}
	return slice, nil
}

// slicer collects one slice.
type slicer struct {
	*model
	name   func(*payload) (string, error) // of the file with the elements
	blobs  map[string]Blob                // by name
	needed map[int]bool                   // weights and constants that the slice reads
	nodes  []int                          // constant nodes, then segments
}

func (s *slicer) slice(segments []int, inputs, outputs []tensor.Info) (*Slice, error) {
	if reason := s.unsliceable(slices.Concat(inputs, outputs)); reason != "" {
		return nil, errors.New(reason)
	}
	s.collect(segments, outputs)
	g, err := s.assemble(inputs, outputs)
	if err != nil {
		return nil, err
	}
	graph, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.wrap(g))
	if err != nil {
		return nil, err
	}
	result := &Slice{Graph: graph, Inputs: inputs, Outputs: outputs}
	for _, digest := range sortedKeys(s.blobs) {
		result.Weights = append(result.Weights, s.blobs[digest])
	}
	return result, nil
}

// unsliceable says why a model cannot begin or end with some values, "" when it can:
// its inputs and outputs need an element type.
func (m *model) unsliceable(ends []tensor.Info) string {
	for _, info := range ends {
		if info.Type == tensor.Undefined {
			return m.uncuttable(m.graph.index[info.Name])
		}
	}
	return ""
}

// collect finds the weights that the segments need, and the constant nodes, with
// what those need in turn.
func (s *slicer) collect(segments []int, outputs []tensor.Info) {
	constants := map[int]bool{}
	var need func(i int)
	need = func(i int) {
		v := s.graph.values[i]
		if !v.constant() || s.needed[i] {
			return
		}
		s.needed[i] = true
		if v.origin == fromConstant && !constants[v.producer] {
			constants[v.producer] = true
			for _, r := range s.graph.nodes[v.producer].reads {
				need(r)
			}
		}
	}
	for _, at := range segments {
		for _, i := range s.graph.nodes[at].reads {
			need(i)
		}
	}
	for _, info := range outputs {
		need(s.graph.index[info.Name])
	}
	for _, at := range s.graph.sorted {
		if constants[at] {
			s.nodes = append(s.nodes, at)
		}
	}
	s.nodes = append(s.nodes, segments...)
}

// assemble makes the graph.
func (s *slicer) assemble(inputs, outputs []tensor.Info) (*onnxpb.GraphProto, error) {
	whole := s.proto.Graph
	g := &onnxpb.GraphProto{Name: whole.Name, DocString: whole.DocString, MetadataProps: whole.MetadataProps}
	for _, at := range s.nodes {
		n, err := s.nodeProto(at)
		if err != nil {
			return nil, err
		}
		g.Node = append(g.Node, n)
	}
	for _, t := range whole.Initializer {
		if s.needed[s.graph.index[t.GetName()]] {
			if err := s.addWeight(g, t); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range whole.SparseInitializer {
		if s.needed[s.graph.index[t.GetValues().GetName()]] {
			g.SparseInitializer = append(g.SparseInitializer, t)
		}
	}
	for _, info := range inputs {
		g.Input = append(g.Input, s.boundary(info))
	}
	for _, info := range outputs {
		g.Output = append(g.Output, s.boundary(info))
	}
	s.annotate(g)
	return g, nil
}

// boundary states type and shape of a tensor that crosses a cut. A shape that is
// not known whole is left out: the engine's guesses at the rest are not always right.
func (s *slicer) boundary(info tensor.Info) *onnxpb.ValueInfoProto {
	v := valueInfo(info)
	switch shape := v.GetType().GetTensorType(); {
	case !s.known(s.graph.index[info.Name]):
		shape.Shape = nil
	case s.branches():
		for _, d := range shape.GetShape().GetDim() {
			d.Value = nil
		}
	}
	return v
}

// branches says whether the slice has an If. Knowing all shapes, an optimising engine
// may fold its condition and put the branch taken in its place; ONNX Runtime 1.24
// then loses what it has folded inside the branch, and does not load the slice. So
// such a slice states ranks only, as the models do whose dimensions are symbolic.
func (s *slicer) branches() bool {
	return slices.ContainsFunc(s.nodes, func(at int) bool { return hasIf(s.graph.nodes[at].NodeProto) })
}

// hasIf says whether a node is an If, or holds one in its bodies.
func hasIf(n *onnxpb.NodeProto) bool {
	if n.GetOpType() == "If" && standardDomain(n.GetDomain()) {
		return true
	}
	return slices.ContainsFunc(bodies(n), func(body *onnxpb.GraphProto) bool {
		return slices.ContainsFunc(body.Node, hasIf)
	})
}

// nodeProto is a node with the weights of the graphs inside it moved out.
func (s *slicer) nodeProto(at int) (*onnxpb.NodeProto, error) {
	n := s.graph.nodes[at].NodeProto
	if len(bodies(n)) == 0 {
		return n, nil
	}
	return s.copyNode(n, s.addWeight)
}

// addWeight adds an initializer: inside where it is small, else as a blob that the
// graph refers to by digest.
func (s *slicer) addWeight(g *onnxpb.GraphProto, t *onnxpb.TensorProto) error {
	p := s.payloads[t]
	if p == nil || p.inline() {
		full, err := s.inlined(t)
		g.Initializer = append(g.Initializer, full)
		return err
	}
	name, err := s.name(p)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	s.blobs[name] = Blob{Digest: name, Size: p.bytes, open: p.open}
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
		Name: t.Name, DataType: t.DataType, Dims: t.Dims, DocString: t.DocString, MetadataProps: t.MetadataProps,
		DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
		ExternalData: []*onnxpb.StringStringEntryProto{
			{Key: proto.String("location"), Value: proto.String(name)},
			{Key: proto.String("offset"), Value: proto.String("0")},
			{Key: proto.String("length"), Value: proto.String(fmt.Sprint(p.bytes))},
		},
	})
	return nil
}

// annotate keeps what the file says of the slice's own tensors.
func (s *slicer) annotate(g *onnxpb.GraphProto) {
	made, boundary := map[string]bool{}, map[string]bool{}
	for _, v := range append(slices.Clone(g.Input), g.Output...) {
		boundary[v.GetName()] = true
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			made[name] = true
		}
	}
	for _, v := range s.proto.Graph.ValueInfo {
		if made[v.GetName()] && !boundary[v.GetName()] && !s.branches() {
			g.ValueInfo = append(g.ValueInfo, v)
		}
	}
	for _, a := range s.proto.Graph.QuantizationAnnotation {
		if made[a.GetTensorName()] || boundary[a.GetTensorName()] {
			g.QuantizationAnnotation = append(g.QuantizationAnnotation, a)
		}
	}
}

// wrap makes a model of the graph, with the operator sets, functions and metadata
// of the whole. Initializers need not be inputs from IR version 4 on.
func (s *slicer) wrap(g *onnxpb.GraphProto) *onnxpb.ModelProto {
	p := s.proto
	return &onnxpb.ModelProto{
		IrVersion: proto.Int64(max(p.GetIrVersion(), 4)), OpsetImport: p.OpsetImport,
		ProducerName: p.ProducerName, ProducerVersion: p.ProducerVersion,
		Domain: p.Domain, ModelVersion: p.ModelVersion, DocString: p.DocString,
		MetadataProps: p.MetadataProps, Functions: s.functions(g), Graph: g,
	}
}

// functions are those that the graph calls, and those that these call.
func (s *slicer) functions(g *onnxpb.GraphProto) []*onnxpb.FunctionProto {
	called := map[*onnxpb.FunctionProto]bool{}
	var visit func(nodes []*onnxpb.NodeProto)
	visit = func(nodes []*onnxpb.NodeProto) {
		for _, n := range nodes {
			if f := s.functionOf(n); f != nil && !called[f] {
				called[f] = true
				visit(f.Node)
			}
			for _, body := range bodies(n) {
				visit(body.Node)
			}
		}
	}
	visit(g.Node)
	var list []*onnxpb.FunctionProto
	for _, f := range s.proto.Functions {
		if called[f] {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b *onnxpb.FunctionProto) int {
		return cmp.Or(cmp.Compare(a.GetDomain(), b.GetDomain()), cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetOverload(), b.GetOverload()))
	})
	return list
}
