package onnx

import (
	"math"
	"slices"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// segment costs a node; alive is the bytes of the cut before it.
func (m *model) segment(at int, alive int64) Segment {
	n := &m.graph.nodes[at]
	v := m.view(n)
	s := Segment{
		Node: n.label, Op: n.op(),
		FLOPs:       count(m.flops(at, v)),
		WeightBytes: m.weightBytes(n), ActivationBytes: alive,
	}
	for _, o := range n.outputs {
		if o >= 0 {
			s.ActivationBytes = addCapped(s.ActivationBytes, m.size(o))
		}
	}
	return s
}

// flops counts the operations of a node, by what is inside of it where that is known.
func (m *model) flops(at int, v view) float64 {
	if n, ok := m.inside[at]; ok {
		return n
	}
	if m.functionOf(v.proto) != nil {
		return unknownInside(v)
	}
	return formulaOf(v.proto)(v)
}

// view collects what the formulas look at.
func (m *model) view(n *node) view {
	v := view{proto: n.NodeProto, in: m.shapesOf(n.inputs), out: m.shapesOf(n.outputs)}
	for _, i := range n.reads {
		if m.graph.values[i].constant() {
			if e, err := m.infos[i].Elements(); err == nil {
				v.weights += float64(e)
			}
		}
	}
	for _, body := range bodies(n.NodeProto) {
		visitWeights(body, func(t *onnxpb.TensorProto) { v.weights += product(t.GetDims()) })
	}
	return v
}

func (m *model) shapesOf(values []int) [][]int64 {
	shapes := make([][]int64, len(values))
	for at, i := range values {
		if i >= 0 && m.known(i) {
			shapes[at] = append([]int64{}, m.infos[i].Shape...)
		}
	}
	return shapes
}

// weightBytes are the weights that a node and the graphs inside it read.
func (m *model) weightBytes(n *node) int64 {
	var total int64
	for _, i := range n.reads {
		total = addCapped(total, m.constantBytes(i))
	}
	for _, body := range bodies(n.NodeProto) {
		total = addCapped(total, bodyBytes(body))
	}
	return total
}

// bodyBytes are the initializers of a body.
func bodyBytes(body *onnxpb.GraphProto) int64 {
	var total int64
	visitWeights(body, func(t *onnxpb.TensorProto) {
		n, err := tensor.Info{Type: tensor.Type(t.GetDataType()), Shape: t.GetDims()}.Bytes()
		if err == nil {
			total = addCapped(total, n)
		}
	})
	return total
}

func visitWeights(g *onnxpb.GraphProto, f func(*onnxpb.TensorProto)) {
	_ = visitTensors(g, func(t *onnxpb.TensorProto, weight bool) error {
		if weight {
			f(t)
		}
		return nil
	})
}

// constantBytes is the size of a weight, or of what a constant node makes; 0 for
// other values. Dequantised weights count as they are stored: the engine keeps
// them so.
func (m *model) constantBytes(i int) int64 {
	v := m.graph.values[i]
	if v.origin == fromConstant {
		maker := &m.graph.nodes[v.producer]
		if maker.GetOpType() == "DequantizeLinear" && len(maker.inputs) > 0 && maker.inputs[0] >= 0 {
			return m.constantBytes(maker.inputs[0])
		}
	}
	if !v.constant() {
		return 0
	}
	if v.sparse != nil {
		n, _ := tensor.Info{Type: m.infos[i].Type, Shape: v.sparse.GetValues().GetDims()}.Bytes()
		return n
	}
	return m.size(i)
}

// parameterBytes are all weights of the file, each once: initializers and what
// constant nodes make, but for what constant nodes read, and for int64 tensors,
// which hold sizes and indices and are no parameters.
func (m *model) parameterBytes() int64 {
	var total int64
	for i, v := range m.graph.values {
		feeds := slices.ContainsFunc(v.readers, m.graph.isConstantNode)
		runs := slices.ContainsFunc(v.readers, func(at int) bool { return !m.graph.isConstantNode(at) })
		if m.infos[i].Type != tensor.Int64 && (runs || !feeds || v.output) {
			total = addCapped(total, m.constantBytes(i))
		}
	}
	for _, at := range m.order {
		for _, body := range bodies(m.graph.nodes[at].NodeProto) {
			total = addCapped(total, bodyBytes(body))
		}
	}
	return total
}

// addCapped adds without passing the largest number there is.
func addCapped(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
