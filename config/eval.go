package config

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// evaluator gives declarations their values, in the order of the graph.
type evaluator struct {
	*report
	config    *Config
	decls     *declarations
	version   string
	functions map[string]function.Function
	values    map[address]cty.Value

	ssh      SSH // defaults of every node
	nodes    map[string]*Node
	repeated map[address][]instance    // instances of every block that is evaluated
	models   map[address][]modelRecord // to give results to outputs
	outputs  []*declaration            // in order of evaluation
	locals   []*declaration            // in order of evaluation
}

func newEvaluator(l *loader, decls *declarations, version string) *evaluator {
	return &evaluator{
		report:    l.report,
		config:    l.config,
		decls:     decls,
		version:   version,
		functions: functions(l.config.Dir),
		values:    map[address]cty.Value{},
		nodes:     map[string]*Node{},
		repeated:  map[address][]instance{},
		models:    map[address][]modelRecord{},
	}
}

// evaluate gives one declaration its value. All it refers to has been evaluated,
// but for members of a cycle, whose value is unknown.
func (e *evaluator) evaluate(d *declaration) {
	if d.cyclic {
		defer func() { e.values[d.address] = cty.DynamicVal }()
	}
	switch d.kind {
	case kindSettings:
		e.settings(d)
	case kindSSH:
		e.defaultSSH(d)
	case kindLocal:
		e.values[d.address] = e.value(d, d.expr, e.context(d))
		e.locals = append(e.locals, d)
	case kindNode:
		e.values[d.address] = e.each(d, nodeType(), e.node)
	case kindLink:
		e.values[d.address] = e.each(d, linkType(), e.link)
	case kindNetwork:
		e.values[d.address] = e.each(d, networkType(), e.network)
	case kindModel:
		e.values[d.address] = e.each(d, modelType(), e.model)
	case kindValidation:
		e.validate(d)
	case kindOutput:
		e.output(d)
		e.outputs = append(e.outputs, d)
	}
}

// value evaluates an expression of d. What is wrong is reported once; the value
// is then unknown.
func (e *evaluator) value(d *declaration, expr hcl.Expression, ctx *hcl.EvalContext) cty.Value {
	if d.broken[expr] {
		return cty.DynamicVal
	}
	v, diags := expr.Value(ctx)
	for _, diag := range diags {
		e.explain(diag)
	}
	e.add(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}

// context holds the functions and exactly what d refers to.
func (e *evaluator) context(d *declaration) *hcl.EvalContext {
	byKind := map[string]map[string]cty.Value{}
	for _, ref := range d.refs {
		v, ok := e.values[ref.to]
		if !ok {
			v = cty.DynamicVal
		}
		if byKind[ref.to.kind] == nil {
			byKind[ref.to.kind] = map[string]cty.Value{}
		}
		byKind[ref.to.kind][ref.to.name] = v
	}
	ctx := &hcl.EvalContext{Functions: e.functions, Variables: map[string]cty.Value{}}
	for kind, values := range byKind {
		ctx.Variables[kind] = cty.ObjectVal(values)
	}
	return ctx
}

// withResults is a copy in which models have the given results and everything
// that depends on them is evaluated again by evaluateOutputs.
func (e *evaluator) withResults(results map[string]ModelResult) *evaluator {
	again := *e
	again.report = &report{}
	again.values = maps.Clone(e.values)
	for a, records := range e.models {
		again.values[a] = combine(e.decls.byAddress[a], modelType(), modelValues(records, results))
	}
	return &again
}
