package config

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Output is one evaluated output.
type Output struct {
	Name        string
	Value       cty.Value // not known where it depends on a model without result
	Sensitive   bool      // not to be printed unless asked for by name
	Description string
}

// outputs keeps what evaluates outputs once results are known.
type outputs struct{ evaluator *evaluator }

// outputValue evaluates one output: the root's for the user, and a module's for
// the configuration around it.
func (f *frame) outputValue(d *declaration) {
	r := f.reader(d, instance{address: f.prefix() + d.address.String()}, f.context(d.refs))
	r.preconditions()
	out, ok := r.output()
	switch {
	case !ok:
		f.values[d.address] = cty.DynamicVal
	case out.Sensitive:
		f.values[d.address] = out.Value.Mark(sensitiveMark)
	default:
		f.values[d.address] = out.Value
	}
}

func (r *reader) output() (Output, bool) {
	d := r.d
	out := Output{
		Name:        d.name,
		Description: r.text("description", ""),
		Sensitive:   r.boolean("sensitive", false),
	}
	attr := d.attribute("value")
	if attr == nil {
		r.missing("value", "value = model.NAME.throughput")
		return out, false
	}
	value := r.value(d, attr.Expr, r.ctx)
	if r.parent != nil {
		out.Value = value
		return out, true
	}
	value, marks := value.UnmarkDeep()
	if len(marks) > 0 && !out.Sensitive {
		r.fault(attr.Expr.Range().Ptr(), "Output shows a sensitive value", "The value of %s holds a sensitive value. Add sensitive = true, or leave that part out.", d)
		return out, false
	}
	if hasInfinity(value) {
		r.fault(attr.Expr.Range().Ptr(), "Output is infinite", "The value of %s holds a number divided by 0, which cannot be stored. Guard it, as in x > 0 ? 1 / x : null.", d)
		return out, false
	}
	out.Value = value
	return out, true
}

// hasInfinity finds a number that JSON cannot hold.
func hasInfinity(value cty.Value) bool {
	found := false
	_ = cty.Walk(value, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == cty.Number && v.IsKnown() && !v.IsNull() && v.AsBigFloat().IsInf() {
			found = true
		}
		return !found, nil
	})
	return found
}

// EvalOutputs evaluates the outputs in order of name, and the conditions that the
// results decide. The results are by name of model; what depends on a model
// without one is not known.
func (c *Config) EvalOutputs(results map[string]ModelResult) ([]Output, hcl.Diagnostics) {
	if c.outputs == nil {
		return nil, nil
	}
	e := c.outputs.evaluator.withResults(results)
	all := e.evaluateAgain()
	slices.SortFunc(all, func(a, b Output) int { return cmp.Compare(a.Name, b.Name) })
	return all, e.finish()
}

// withResults is a copy in which models have the given results and nothing that
// depends on them has been evaluated.
func (e *evaluator) withResults(results map[string]ModelResult) *evaluator {
	again := *e
	again.report = &report{}
	again.frames = map[*module][]*frame{}
	again.pending = nil
	copies := map[*frame]*frame{}
	for _, m := range e.modules {
		for _, f := range e.frames[m] {
			c := f.copyWith(&again, copies)
			again.frames[m] = append(again.frames[m], c)
			for a, records := range f.models {
				c.values[a] = combine(m.byAddress[a], modelType(), modelValues(records, results))
			}
		}
	}
	for _, p := range e.pending {
		again.pending = append(again.pending, p.in(copies[p.frame]))
	}
	return &again
}

// evaluateAgain gives the outputs, after everything they depend on that depends
// on results of models: locals, and what goes into modules and comes out of them.
func (e *evaluator) evaluateAgain() []Output {
	changed := map[*declaration]bool{}
	depends := func(ref reference) bool { return ref.to.kind == kindModel || changed[ref.to] }
	var all []Output
	for _, d := range e.order {
		isOutput := d.kind == kindOutput && d.in.parent == nil
		switch {
		case isOutput:
			root := e.root()
			r := root.reader(d, instance{address: d.String()}, root.context(d.refs))
			if out, ok := r.output(); ok {
				all = append(all, out)
			}
		case !slices.ContainsFunc(d.refs, depends):
		case d.kind == kindLocal || d.kind == kindVariable || d.kind == kindOutput:
			changed[d] = true
			e.evaluate(d)
		}
	}
	for _, p := range e.pending {
		p.in(p.frame).decide() // what it refers to has new values
	}
	return all
}
