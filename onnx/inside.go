package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// insideLimit bounds how many graphs inside of nodes are costed.
const insideLimit = 500

// endlessSteps, the largest int32, is the least number of steps that means no limit.
const endlessSteps = math.MaxInt32

// insider costs what is inside of nodes: branches of If, bodies of Loop and Scan, and
// functions of the model. Each is a graph that is shaped and costed like the whole;
// where that cannot be done, the table of formulas has a stand-in.
type insider struct {
	shapes ShapeInferrer
	calls  map[string]func() (float64, error) // of functions, by what is called with what
	left   int                                // graphs that may still be costed
}

func newInsider(shapes ShapeInferrer) *insider {
	return &insider{shapes: shapes, calls: map[string]func() (float64, error){}, left: insideLimit}
}

// inside finds the FLOPs of what is inside of a model's nodes.
func (c *insider) inside(m *model) {
	m.inside = map[int]float64{}
	for _, at := range m.graph.segments() {
		n := &m.graph.nodes[at]
		var flops float64
		var err error
		switch f := m.functionOf(n.NodeProto); {
		case f != nil:
			flops, err = c.function(m, n, f)
		case !standardDomain(n.GetDomain()):
			continue
		case n.GetOpType() == "If":
			flops, err = c.branches(m, n)
		case n.GetOpType() == "Loop":
			flops, err = c.loop(m, n)
		case n.GetOpType() == "Scan":
			flops, err = c.scan(m, n)
		default:
			continue
		}
		if err == nil {
			m.inside[at] = flops
		}
	}
}

// function costs a call of a function; calls that are alike are costed once.
func (c *insider) function(m *model, n *node, f *onnxpb.FunctionProto) (float64, error) {
	g := expand(f, n.NodeProto)
	var given []tensor.Info
	for i := range f.Input {
		if i < len(n.inputs) && n.inputs[i] >= 0 {
			given = append(given, m.infos[n.inputs[i]])
		}
	}
	key := fmt.Sprint(f.GetDomain(), f.GetName(), f.GetOverload(), g.Input, g.Output, given, n.Attribute)
	if c.calls[key] == nil {
		flops, err := c.graph(m, g, given, f.OpsetImport)
		c.calls[key] = func() (float64, error) { return flops, err }
	}
	return c.calls[key]()
}

// branches costs an If by its larger branch.
func (c *insider) branches(m *model, n *node) (float64, error) {
	var most float64
	for _, body := range bodies(n.NodeProto) {
		flops, err := c.graph(m, body, nil, m.proto.OpsetImport)
		if err != nil {
			return 0, err
		}
		most = max(most, flops)
	}
	return most, nil
}

// loop costs a Loop by its body, times the number of steps where that is a constant.
// The body takes the step, the condition and the states. Exporters write a loop that
// only its condition ends as one of more steps than can be taken; nothing tells how
// many those are.
func (c *insider) loop(m *model, n *node) (float64, error) {
	if len(n.inputs) < 2 {
		return 0, errors.New("no condition")
	}
	given := []tensor.Info{{Type: tensor.Int64, Shape: []int64{}}, {Type: tensor.Bool, Shape: []int64{}}}
	for _, i := range n.inputs[2:] {
		if i < 0 {
			return 0, errors.New("a state is left out")
		}
		given = append(given, m.infos[i])
	}
	flops, err := c.graph(m, attribute(n.NodeProto, "body").GetG(), given, m.proto.OpsetImport)
	if steps, ok := m.constantInt(n.inputs[0]); ok && steps < endlessSteps {
		flops *= float64(max(steps, 0))
	}
	return flops, err
}

// scan costs a Scan by its body, times the length of what is scanned. The body takes
// states, and slices of what is scanned.
func (c *insider) scan(m *model, n *node) (float64, error) {
	states := len(n.inputs) - int(integer(n.NodeProto, "num_scan_inputs", 0))
	if states < 0 || slices.Contains(n.inputs, -1) {
		return 0, errors.New("not the inputs of a Scan of operator set 9 or later")
	}
	axes := ints(n.NodeProto, "scan_input_axes")
	var given []tensor.Info
	steps := int64(1)
	for at, i := range n.inputs {
		info := m.infos[i]
		if at >= states {
			axis := 0
			if at-states < len(axes) {
				axis = int(axes[at-states])
			}
			if axis < 0 {
				axis += len(info.Shape)
			}
			if !m.known(i) || axis < 0 || axis >= len(info.Shape) {
				return 0, errors.New("what is scanned has no known shape")
			}
			steps = info.Shape[axis]
			info.Shape = slices.Delete(slices.Clone(info.Shape), axis, axis+1)
		}
		given = append(given, info)
	}
	flops, err := c.graph(m, attribute(n.NodeProto, "body").GetG(), given, m.proto.OpsetImport)
	return flops * float64(steps), err
}

// constantInt is the value of an int64 weight with one element.
func (m *model) constantInt(i int) (int64, bool) {
	if i < 0 || m.graph.values[i].weight == nil || m.infos[i].Type != tensor.Int64 {
		return 0, false
	}
	full, err := m.inlined(m.graph.values[i].weight)
	if err != nil {
		return 0, false
	}
	raw, err := elementsOf(full, m.file.folder)
	if err != nil || len(raw) != 8 {
		return 0, false
	}
	return int64s(raw)[0], true
}

// graph shapes and costs a graph inside of a node, whose inputs have the given
// types and shapes; what it captures has those of this graph.
func (c *insider) graph(m *model, g *onnxpb.GraphProto, given []tensor.Info, sets []*onnxpb.OperatorSetIdProto) (float64, error) {
	if g == nil || len(g.Input) != len(given) || c.left == 0 {
		return 0, errors.New("no graph that these inputs fit")
	}
	c.left--
	whole := proto.CloneOf(&onnxpb.GraphProto{Name: g.Name, Output: g.Output, ValueInfo: g.ValueInfo})
	whole.Node, whole.Initializer, whole.SparseInitializer = g.Node, slices.Clone(g.Initializer), g.SparseInitializer
	for i, info := range given {
		info.Name = g.Input[i].GetName()
		if !known(info) {
			return 0, errors.New("an input has no known shape")
		}
		whole.Input = append(whole.Input, valueInfo(info))
	}
	captured(g, scope{}, func(name string) { m.addCaptured(whole, name) })
	inner := &model{
		file: m.file, external: m.external, payloads: m.payloads,
		proto: &onnxpb.ModelProto{IrVersion: m.proto.IrVersion, OpsetImport: sets, Functions: m.proto.Functions, Graph: whole},
	}
	return c.total(inner)
}

// addCaptured adds a value of this graph to a graph inside of it, once: a weight as a
// weight, since shapes may depend on its elements.
func (m *model) addCaptured(g *onnxpb.GraphProto, name string) {
	i, ok := m.graph.index[name]
	if !ok || slices.ContainsFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name }) ||
		slices.ContainsFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == name }) {
		return
	}
	if t := m.graph.values[i].weight; t != nil {
		g.Initializer = append(g.Initializer, t)
		return
	}
	g.Input = append(g.Input, valueInfo(m.infos[i]))
}

// total shapes and costs a graph that is no model of its own.
func (c *insider) total(m *model) (float64, error) {
	var err error
	if m.graph, err = newGraph(m.proto.Graph); err != nil {
		return 0, err
	}
	if err := m.findShapes(c.shapes); err != nil {
		return 0, err
	}
	c.inside(m)
	var total float64
	for _, at := range m.graph.segments() {
		v := m.view(&m.graph.nodes[at])
		if slices.ContainsFunc(m.graph.nodes[at].outputs, func(o int) bool { return o >= 0 && m.infos[o].Type != tensor.Undefined && !m.known(o) }) {
			return 0, errors.New("the shape of a tensor inside is not known")
		}
		total += m.flops(at, v)
	}
	return total, nil
}
