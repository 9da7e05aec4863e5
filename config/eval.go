package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// evaluator gives declarations their values, in the order of the graph.
type evaluator struct {
	*report
	config    *Config
	version   string
	functions map[string]function.Function
	order     []*declaration // as evaluated

	modules []*module            // each after the one it stands in
	frames  map[*module][]*frame // in order of address
	made    int                  // instances

	nodes   map[string]*Node
	pending []condition // that results of models decide
	// incomplete says that there are instances which are not known, so that a node
	// that is not found may be one of them.
	incomplete bool
}

func newEvaluator(l *loader, root *module, version string) *evaluator {
	e := &evaluator{
		report:    l.report,
		config:    l.config,
		version:   version,
		functions: functions(l.config.Dir),
		modules:   []*module{root},
		frames:    map[*module][]*frame{},
		nodes:     map[string]*Node{},
	}
	e.addFrame(root, nil, instance{})
	return e
}

// root is the one frame of the configuration folder itself.
func (e *evaluator) root() *frame { return e.frames[e.modules[0]][0] }

// evaluate gives one declaration its value in every frame of its module. All it
// refers to has been evaluated, but for members of a cycle, whose value is unknown.
func (e *evaluator) evaluate(d *declaration) {
	for _, f := range e.frames[d.in] {
		f.evaluate(d)
		if d.cyclic {
			f.values[d.address] = cty.DynamicVal
		}
	}
}

func (f *frame) evaluate(d *declaration) {
	switch d.kind {
	case kindSettings:
		f.settings(d)
	case kindSSH:
		f.defaultSSH(d)
	case kindVariable:
		f.input(d)
	case kindLocal:
		f.values[d.address] = f.value(d, d.expr, f.context(d.refs))
	case kindNode:
		f.values[d.address] = f.each(d, nodeType(), f.node)
	case kindProfileOf:
		f.profileOf(d)
	case kindLink:
		f.values[d.address] = f.each(d, linkType(), f.link)
	case kindNetwork:
		f.values[d.address] = f.each(d, networkType(), f.network)
	case kindModel:
		f.values[d.address] = f.each(d, modelType(), f.model)
	case kindModule:
		f.expand(d)
	case kindValidation:
		f.validate(d)
	case kindOutput:
		f.outputValue(d)
	}
}

// value evaluates an expression of d. What is wrong is reported once; the value
// is then unknown.
func (f *frame) value(d *declaration, expr hcl.Expression, ctx *hcl.EvalContext) cty.Value {
	if d.broken[expr] {
		return cty.DynamicVal
	}
	v, diags := expr.Value(ctx)
	for _, diag := range diags {
		f.explain(diag)
	}
	f.add(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}

// context holds the functions and exactly what is referred to.
func (f *frame) context(refs []reference) *hcl.EvalContext {
	byKind := map[string]map[string]cty.Value{}
	set := func(kind, name string, v cty.Value) {
		if byKind[kind] == nil {
			byKind[kind] = map[string]cty.Value{}
		}
		byKind[kind][name] = v
	}
	used := map[*declaration][]*declaration{} // outputs by module block
	for _, ref := range refs {
		switch {
		case ref.to.in != f.module:
			used[ref.to.in.call] = append(used[ref.to.in.call], ref.to)
		case ref.to.kind == kindModule:
			if _, known := used[ref.to]; !known {
				used[ref.to] = nil // a module of which nothing is used is an empty object
			}
		default:
			set(ref.to.kind, ref.to.name, f.valueOf(ref.to.address))
		}
	}
	for call, outputs := range used {
		set(kindModule, call.name, f.moduleValue(call, outputs))
	}
	ctx := &hcl.EvalContext{Functions: f.functions, Variables: map[string]cty.Value{"path": f.paths}}
	for kind, values := range byKind {
		ctx.Variables[kind] = cty.ObjectVal(values)
	}
	return ctx
}

// valueOf is unknown for what has no value yet: a member of a cycle.
func (f *frame) valueOf(a address) cty.Value {
	if v, ok := f.values[a]; ok {
		return v
	}
	return cty.DynamicVal
}
