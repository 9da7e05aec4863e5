package onnx

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// binder replaces symbolic dimensions by the numbers given for them.
type binder struct {
	given   map[string]int64
	used    map[string]bool
	unbound map[string]bool
}

// bindInputs gives the graph's inputs, outputs and value_info the numbers of
// Options.Dimensions, in the file itself, so that slices have them too.
func bindInputs(p *onnxpb.GraphProto, dimensions map[string]int64) error {
	b := &binder{given: dimensions, used: map[string]bool{}, unbound: map[string]bool{}}
	for name, v := range dimensions {
		if v < 0 {
			return fmt.Errorf("dimension %q is bound to %d: it has to be 0 or more", name, v)
		}
	}
	initializers := map[string]bool{}
	for _, t := range p.Initializer {
		initializers[t.GetName()] = true
	}
	for _, in := range p.Input {
		if !initializers[in.GetName()] {
			b.bind(in, true)
		}
	}
	for _, list := range [][]*onnxpb.ValueInfoProto{p.Output, p.ValueInfo} {
		for _, v := range list {
			b.bind(v, false)
		}
	}
	return b.err(p)
}

// bind replaces what is given; the unnamed dimension d of input x is called x[d].
func (b *binder) bind(v *onnxpb.ValueInfoProto, input bool) {
	for at, d := range v.GetType().GetTensorType().GetShape().GetDim() {
		name := d.GetDimParam()
		if fixed, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok && fixed.DimValue >= 0 {
			continue
		}
		if name == "" && input {
			name = fmt.Sprintf("%s[%d]", v.GetName(), at)
		}
		if size, ok := b.given[name]; ok && name != "" {
			b.used[name] = true
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: size}
		} else if input {
			b.unbound[name] = true
		} else if name == "" {
			d.Value = nil // a negative number: not known
		}
	}
}

// err lists what is not bound, with the line that binds it, and what is bound and
// is no dimension of the model.
func (b *binder) err(p *onnxpb.GraphProto) error {
	var errs []error
	if len(b.unbound) > 0 {
		errs = append(errs, &UnboundError{Dimensions: slices.Sorted(maps.Keys(b.unbound))})
	}
	for _, name := range slices.Sorted(maps.Keys(b.given)) {
		if !b.used[name] {
			errs = append(errs, fmt.Errorf("dimensions binds %q, and no tensor of graph %q has a dimension of that name", name, p.GetName()))
		}
	}
	return errors.Join(errs...)
}

// UnboundError says which symbolic dimensions of the inputs have no size.
type UnboundError struct {
	Dimensions []string // sorted; dimension d of input x that has no name is called x[d]
}

// plainName is a name that HCL takes without quotes.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Error lists them, with the line of a configuration that binds them.
func (e *UnboundError) Error() string {
	var names, line []string
	for _, name := range e.Dimensions {
		names = append(names, fmt.Sprintf("%q", name))
		if !plainName.MatchString(name) {
			name = fmt.Sprintf("%q", name)
		}
		line = append(line, name+" = 1")
	}
	return fmt.Sprintf("the sizes of dimensions %s are not known; bind them in the model's block, with numbers of your own: dimensions = { %s }",
		strings.Join(names, ", "), strings.Join(line, ", "))
}

// statedInfos reads the types and shapes that the file itself states.
func statedInfos(p *onnxpb.GraphProto) map[string]tensor.Info {
	infos := map[string]tensor.Info{}
	for _, list := range [][]*onnxpb.ValueInfoProto{p.ValueInfo, p.Output, p.Input} {
		for _, v := range list {
			if info, ok := stated(v); ok {
				infos[v.GetName()] = info
			}
		}
	}
	return infos
}

// stated reads a type and shape, if there are any.
func stated(v *onnxpb.ValueInfoProto) (tensor.Info, bool) {
	t := v.GetType().GetTensorType()
	if t == nil || t.Shape == nil {
		return tensor.Info{}, false
	}
	return tensor.Info{Name: v.GetName(), Type: tensor.Type(t.GetElemType()), Shape: dims(t.Shape)}, true
}

// dims are the sizes of a shape, tensor.Unknown where there is none.
func dims(shape *onnxpb.TensorShapeProto) []int64 {
	list := make([]int64, 0, len(shape.Dim))
	for _, d := range shape.Dim {
		size := tensor.Unknown
		if fixed, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok && fixed.DimValue >= 0 {
			size = fixed.DimValue
		}
		list = append(list, size)
	}
	return list
}

// known says whether type and all dimensions are there.
func known(info tensor.Info) bool {
	return info.Type != tensor.Undefined && !slices.Contains(info.Shape, tensor.Unknown)
}

// known says whether type and all dimensions of a value are there.
func (m *model) known(i int) bool { return !m.unranked[i] && known(m.infos[i]) }

// findShapes describes every value: by what the file states where that is
// complete, else by the engine.
func (m *model) findShapes(shapes ShapeInferrer) error {
	g := m.graph
	m.stated = statedInfos(m.proto.Graph)
	m.infos, m.unranked = make([]tensor.Info, len(g.values)), make([]bool, len(g.values))
	var lacking []string
	for i, v := range g.values {
		m.infos[i] = tensor.Info{Name: v.name}
		switch info, ok := m.stated[v.name]; {
		case v.weight != nil:
			m.infos[i].Type, m.infos[i].Shape = tensor.Type(v.weight.GetDataType()), v.weight.GetDims()
		case v.sparse != nil:
			m.infos[i].Type, m.infos[i].Shape = tensor.Type(v.sparse.GetValues().GetDataType()), v.sparse.GetDims()
		case ok && known(info):
			m.infos[i] = info
		case v.origin == fromInput || !m.matters(i):
		default:
			lacking = append(lacking, v.name)
		}
	}
	if len(lacking) == 0 {
		return m.checkSizes()
	}
	if shapes == nil {
		return fmt.Errorf("the file does not state the shapes of %d tensors (the first is %q), and there is no engine to find them: run `edgeplan init`, or export the model with complete value_info", len(lacking), lacking[0])
	}
	if err := m.inferShapes(shapes, lacking); err != nil {
		return err
	}
	return m.checkSizes()
}

// matters says whether a value is made by a node that runs.
func (m *model) matters(i int) bool {
	v := m.graph.values[i]
	return v.origin != fromWeight && v.origin != fromInput && !m.graph.nodes[v.producer].dead
}

// checkSizes refuses sizes that no machine can count.
func (m *model) checkSizes() error {
	for i, info := range m.infos {
		if !m.known(i) {
			continue
		}
		if _, err := info.Elements(); err != nil {
			return err
		}
		if info.Type.Bits() > 0 {
			if _, err := info.Bytes(); err != nil {
				return err
			}
		}
	}
	return nil
}
