package onnx

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// origin says where a value comes from.
type origin int

const (
	fromInput    origin = iota // a graph input
	fromWeight                 // an initializer
	fromConstant               // a node that depends on no graph input
	fromNode                   // a segment
)

// value is a named tensor of the graph.
type value struct {
	name     string
	origin   origin
	producer int   // node, for fromConstant and fromNode
	readers  []int // nodes, each once, in file order
	output   bool  // of the graph
	weight   *onnxpb.TensorProto
	sparse   *onnxpb.SparseTensorProto
}

func (v *value) constant() bool { return v.origin == fromWeight || v.origin == fromConstant }

// node is a node of the graph with its edges.
type node struct {
	*onnxpb.NodeProto
	label   string // for messages and Segment.Node
	inputs  []int  // values by position, -1 where left out
	reads   []int  // distinct values: inputs, then those that bodies capture
	outputs []int  // values by position, -1 where left out
	dead    bool   // nothing depends on it
}

// graph is a checked graph: every name is made once, before it is read.
type graph struct {
	values  []value
	index   map[string]int
	nodes   []node
	sorted  []int // nodes in an order in which makers precede readers, file order where that holds
	inputs  []int // values a caller gives
	outputs []int
}

// newGraph connects and checks the nodes of a graph.
func newGraph(p *onnxpb.GraphProto) (*graph, error) {
	g := &graph{index: map[string]int{}}
	if err := g.declareSources(p); err != nil {
		return nil, err
	}
	if err := g.declareNodes(p); err != nil {
		return nil, err
	}
	if err := g.connect(p); err != nil {
		return nil, err
	}
	if err := g.sort(); err != nil {
		return nil, err
	}
	g.markDead()
	g.markConstants()
	return g, nil
}

// declare adds a value; it fails when the name is taken.
func (g *graph) declare(v value, maker string) (int, error) {
	if old, ok := g.index[v.name]; ok {
		return 0, fmt.Errorf("tensor %q is made twice: by %s and by %s", v.name, g.maker(old), maker)
	}
	g.index[v.name] = len(g.values)
	g.values = append(g.values, v)
	return len(g.values) - 1, nil
}

func (g *graph) maker(i int) string {
	switch v := g.values[i]; v.origin {
	case fromInput:
		return "the graph's inputs"
	case fromWeight:
		return "an initializer"
	default:
		return fmt.Sprintf("node %q", g.nodes[v.producer].label)
	}
}

// declareSources declares initializers and the inputs that are none. Up to IR
// version 3 every initializer is an input too; later ones that are may be
// overridden by a caller, which a pipeline does not offer.
func (g *graph) declareSources(p *onnxpb.GraphProto) error {
	for _, t := range p.Initializer {
		if _, err := g.declare(value{name: t.GetName(), origin: fromWeight, weight: t}, "an initializer"); err != nil {
			return err
		}
	}
	for _, t := range p.SparseInitializer {
		v := value{name: t.GetValues().GetName(), origin: fromWeight, sparse: t}
		if _, err := g.declare(v, "a sparse initializer"); err != nil {
			return err
		}
	}
	for _, in := range p.Input {
		if i, ok := g.index[in.GetName()]; ok && g.values[i].origin == fromWeight {
			continue
		}
		i, err := g.declare(value{name: in.GetName(), origin: fromInput}, "the graph's inputs")
		if err != nil {
			return err
		}
		g.inputs = append(g.inputs, i)
	}
	return nil
}

// declareNodes declares what the nodes make.
func (g *graph) declareNodes(p *onnxpb.GraphProto) error {
	for at, proto := range p.Node {
		n := node{NodeProto: proto, label: label(proto, at)}
		g.nodes = append(g.nodes, n)
		for _, name := range proto.Output {
			if name == "" {
				g.nodes[at].outputs = append(g.nodes[at].outputs, -1)
				continue
			}
			i, err := g.declare(value{name: name, origin: fromNode, producer: at}, fmt.Sprintf("node %q", n.label))
			if err != nil {
				return err
			}
			g.nodes[at].outputs = append(g.nodes[at].outputs, i)
		}
	}
	return nil
}

// label is how a node is called: its name, else its first output, else its place.
func label(n *onnxpb.NodeProto, at int) string {
	if n.GetName() != "" {
		return n.GetName()
	}
	for _, name := range n.Output {
		if name != "" {
			return name
		}
	}
	return fmt.Sprintf("%s at %d", n.GetOpType(), at)
}

// connect finds what the nodes read, and the graph's outputs.
func (g *graph) connect(p *onnxpb.GraphProto) error {
	for at := range g.nodes {
		n := &g.nodes[at]
		seen := map[int]bool{}
		for _, name := range n.Input {
			i := -1
			if name != "" {
				var ok bool
				if i, ok = g.index[name]; !ok {
					return fmt.Errorf("node %q (%s) reads %q, which nothing makes", n.label, n.GetOpType(), name)
				}
				g.read(n, at, i, seen)
			}
			n.inputs = append(n.inputs, i)
		}
		for _, name := range captures(n.NodeProto) {
			i, ok := g.index[name]
			if !ok {
				return fmt.Errorf("a graph inside node %q (%s) reads %q, which nothing makes", n.label, n.GetOpType(), name)
			}
			g.read(n, at, i, seen)
		}
	}
	for _, out := range p.Output {
		i, ok := g.index[out.GetName()]
		if !ok {
			return fmt.Errorf("the graph's output %q is made by nothing", out.GetName())
		}
		if g.values[i].output {
			return fmt.Errorf("the graph's output %q is named twice", out.GetName())
		}
		g.values[i].output = true
		g.outputs = append(g.outputs, i)
	}
	return nil
}

func (g *graph) read(n *node, at, i int, seen map[int]bool) {
	if seen[i] {
		return
	}
	seen[i] = true
	n.reads = append(n.reads, i)
	g.values[i].readers = append(g.values[i].readers, at)
}

// op is the operator with its domain where that is not the default one.
func (n *node) op() string {
	if standardDomain(n.GetDomain()) {
		return n.GetOpType()
	}
	return n.GetDomain() + "." + n.GetOpType()
}
