package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// expandedLimit bounds the nodes of a graph once functions stand in the place of their
// calls, as the engine has them.
const expandedLimit = 1 << 20

// functionKey is the identity of a function.
type functionKey struct{ domain, name, overload string }

// functionOf is the model's own function that a node calls, or nil.
func (m *model) functionOf(n *onnxpb.NodeProto) *onnxpb.FunctionProto {
	if m.functions == nil {
		m.functions = map[functionKey]*onnxpb.FunctionProto{}
		for _, f := range m.proto.Functions {
			m.functions[functionKey{plainDomain(f.GetDomain()), f.GetName(), f.GetOverload()}] = f
		}
	}
	return m.functions[functionKey{plainDomain(n.GetDomain()), n.GetOpType(), n.GetOverload()}]
}

// checkFunctions refuses functions that call themselves, and such as become too many
// nodes: the engine would not come back from them.
func (m *model) checkFunctions() error {
	sizes := map[*onnxpb.FunctionProto]int64{}
	var total int64
	for at, n := range m.proto.Graph.Node {
		size, err := m.expandedSize(n, sizes, nestingLimit)
		if err != nil {
			return fmt.Errorf("node %q (%s): %w", label(n, at), n.GetOpType(), err)
		}
		if total = addCapped(total, size); total > expandedLimit {
			return fmt.Errorf("node %q (%s): with functions in the place of their calls the graph has more than %d nodes", label(n, at), n.GetOpType(), expandedLimit)
		}
	}
	return nil
}

// expandedSize counts the nodes that become of a node. The size of a function that is
// being counted is 0, which no function has otherwise. Depth bounds functions within
// functions.
func (m *model) expandedSize(n *onnxpb.NodeProto, sizes map[*onnxpb.FunctionProto]int64, depth int) (int64, error) {
	if depth == 0 {
		return 0, fmt.Errorf("functions and graphs within each other more than %d deep", nestingLimit)
	}
	size := int64(1)
	add := func(nodes []*onnxpb.NodeProto) error {
		for _, inner := range nodes {
			n, err := m.expandedSize(inner, sizes, depth-1)
			if err != nil {
				return err
			}
			size = addCapped(size, n)
		}
		return nil
	}
	for _, body := range bodies(n) {
		if err := add(body.Node); err != nil {
			return 0, err
		}
	}
	f := m.functionOf(n)
	if f == nil {
		return size, nil
	}
	known, ok := sizes[f]
	if ok && known == 0 {
		return 0, fmt.Errorf("function %q calls itself", f.GetName())
	}
	if !ok {
		sizes[f] = 0
		if err := add(f.Node); err != nil {
			return 0, err
		}
		sizes[f], known = size, size
	}
	return known, nil
}

// expand makes a graph of a function as a node calls it: inputs and outputs have the
// function's names, inputs left out are left out inside, and attributes have the values
// that the node gives, or the function's own.
func expand(f *onnxpb.FunctionProto, call *onnxpb.NodeProto) *onnxpb.GraphProto {
	e := expander{absent: map[string]bool{}, values: map[string]*onnxpb.AttributeProto{}}
	g := &onnxpb.GraphProto{Name: f.Name}
	for i, name := range f.Input {
		if i < len(call.Input) && call.Input[i] != "" {
			g.Input = append(g.Input, &onnxpb.ValueInfoProto{Name: proto.String(name)})
		} else {
			e.absent[name] = true
		}
	}
	for _, a := range append(f.AttributeProto[:len(f.AttributeProto):len(f.AttributeProto)], call.Attribute...) {
		e.values[a.GetName()] = a
	}
	for _, n := range f.Node {
		n = proto.CloneOf(n)
		e.node(n)
		g.Node = append(g.Node, n)
	}
	for i, name := range f.Output {
		if i < len(call.Output) && call.Output[i] != "" {
			g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
		}
	}
	return g
}

// expander puts what a call gives in the place of what a function refers to.
type expander struct {
	absent map[string]bool // inputs that the call leaves out
	values map[string]*onnxpb.AttributeProto
}

func (e expander) node(n *onnxpb.NodeProto) {
	for i, name := range n.Input {
		if e.absent[name] {
			n.Input[i] = ""
		}
	}
	var kept []*onnxpb.AttributeProto
	for _, a := range n.Attribute {
		if ref := a.GetRefAttrName(); ref != "" {
			value := e.values[ref]
			if value == nil {
				continue // not given: the operator's default
			}
			name := a.Name
			a = proto.CloneOf(value)
			a.Name = name
		}
		kept = append(kept, a)
	}
	n.Attribute = kept
	for _, body := range bodies(n) {
		for _, inner := range body.Node {
			e.node(inner)
		}
	}
}
