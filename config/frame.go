package config

import (
	"maps"
	"os"
	"path/filepath"

	"github.com/zclconf/go-cty/cty"
)

// maxInstances bounds what for_each and count make of a whole configuration.
const maxInstances = 100_000

// frame is one instance of a module: the values of its declarations.
type frame struct {
	*evaluator
	module *module
	parent *frame   // nil for the root
	inst   instance // of the module block

	values   map[address]cty.Value
	repeated map[address][]instance    // instances of every block that is evaluated
	models   map[address][]modelRecord // to give results to outputs
	children map[address][]*frame      // of module blocks, in order of their instances
	ssh      *SSH                      // the ssh block; nil where there is none
	paths    cty.Value                 // path.module and the others
}

func (e *evaluator) addFrame(m *module, parent *frame, inst instance) *frame {
	f := &frame{
		evaluator: e, module: m, parent: parent, inst: inst,
		values: map[address]cty.Value{}, repeated: map[address][]instance{},
		models: map[address][]modelRecord{}, children: map[address][]*frame{},
		paths: paths(e.config.Dir, m.dir),
	}
	e.frames[m] = append(e.frames[m], f)
	return f
}

// prefix begins the address of what the frame holds: `module.site["a"].` or "".
func (f *frame) prefix() string {
	if f.parent == nil {
		return ""
	}
	return f.inst.address + "."
}

// defaults of SSH connections for the nodes of the frame.
func (f *frame) defaults() SSH {
	for ; f != nil; f = f.parent {
		if f.ssh != nil {
			return *f.ssh
		}
	}
	return SSH{}
}

// paths are path.module and path.root, as seen from the configuration folder like
// every path of the language, and path.cwd, which is absolute.
func paths(root, dir string) cty.Value {
	relative, err := filepath.Rel(root, dir)
	if err != nil {
		relative = dir
	}
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "."
	}
	return cty.ObjectVal(map[string]cty.Value{
		"module": cty.StringVal(relative), "root": cty.StringVal("."), "cwd": cty.StringVal(cwd),
	})
}

// expand makes the frames of a module block.
func (f *frame) expand(d *declaration) {
	child := f.module.children[d.name]
	if child == nil {
		return // its fault was reported
	}
	instances, ok := f.instances(d, f.context(d.refs))
	if !ok {
		return
	}
	if _, seen := f.frames[child]; !seen {
		f.modules = append(f.modules, child)
	}
	f.repeated[d.address] = instances
	f.children[d.address] = []*frame{}
	for _, inst := range instances {
		f.children[d.address] = append(f.children[d.address], f.addFrame(child, f, inst))
	}
}

// moduleValue is what a reference to a module block sees of some of its outputs:
// an object of them, or such objects by key or in order.
func (f *frame) moduleValue(call *declaration, outputs []*declaration) cty.Value {
	frames, ok := f.children[call.address]
	if !ok {
		return cty.DynamicVal
	}
	byKey := map[string]cty.Value{}
	list := []cty.Value{}
	for i, child := range frames {
		v := child.outputsValue(outputs)
		if key := f.repeated[call.address][i].key; key != cty.NilVal && key.Type() == cty.String {
			byKey[key.AsString()] = v
		}
		list = append(list, v)
	}
	switch {
	case call.attribute("for_each") != nil:
		return cty.ObjectVal(byKey)
	case call.attribute("count") != nil:
		return cty.TupleVal(list)
	}
	return list[0]
}

func (f *frame) outputsValue(outputs []*declaration) cty.Value {
	values := map[string]cty.Value{}
	for _, d := range outputs {
		values[d.name] = f.valueOf(d.address)
	}
	return cty.ObjectVal(values)
}

// input gives a variable of a module what the module block says, or its default.
// The root's variables have their values from the beginning.
func (f *frame) input(d *declaration) {
	if f.parent == nil {
		return
	}
	f.values[d.address] = f.inputValue(d)
}

func (f *frame) inputValue(d *declaration) cty.Value {
	v := d.variable
	if d.expr == nil {
		if v.def == cty.NilVal {
			return cty.UnknownVal(v.ty) // it was reported
		}
		return v.def
	}
	ctx := instanceContext(f.parent.context(d.refs), f.module.call, f.inst)
	value := f.parent.value(d, d.expr, ctx)
	if v.useDefault(value) {
		return v.def
	}
	converted, err := v.convert(value)
	if err != nil {
		f.add(v.hide(newError(d.expr.Range().Ptr(), invalidVariable, "The value of %s %v. The variable is declared at %s.", d, err, v.rng)))
		return cty.UnknownVal(v.ty)
	}
	return converted
}

// copyWith is a copy of the frame for another evaluation.
func (f *frame) copyWith(e *evaluator, copies map[*frame]*frame) *frame {
	c := *f
	c.evaluator = e
	c.values = maps.Clone(f.values)
	c.parent = copies[f.parent]
	c.children = map[address][]*frame{}
	for call := range f.children {
		c.children[call] = nil
	}
	copies[f] = &c
	if c.parent != nil {
		call := f.module.call.address
		c.parent.children[call] = append(c.parent.children[call], &c)
	}
	return &c
}
