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

// output checks one output with the results of models not known yet.
func (e *evaluator) output(d *declaration) (Output, bool) {
	r := e.reader(d, instance{address: d.address.String()}, e.context(d))
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
	value, marks := e.value(d, attr.Expr, r.ctx).UnmarkDeep()
	if len(marks) > 0 && !out.Sensitive {
		e.fault(attr.Expr.Range().Ptr(), "Output shows a sensitive value", "The value of %s holds a sensitive value. Add sensitive = true, or leave that part out.", d.address)
		return out, false
	}
	if hasInfinity(value) {
		e.fault(attr.Expr.Range().Ptr(), "Output is infinite", "The value of %s holds a number divided by 0, which cannot be stored. Guard it, as in x > 0 ? 1 / x : null.", d.address)
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

// EvalOutputs evaluates the outputs in order of name. The results are by name of
// model; what depends on a model without one is not known.
func (c *Config) EvalOutputs(results map[string]ModelResult) ([]Output, hcl.Diagnostics) {
	if c.outputs == nil {
		return nil, nil
	}
	e := c.outputs.evaluator.withResults(results)
	e.evaluateLocals()
	var all []Output
	for _, d := range e.outputs {
		if out, ok := e.output(d); ok {
			all = append(all, out)
		}
	}
	slices.SortFunc(all, func(a, b Output) int { return cmp.Compare(a.Name, b.Name) })
	return all, e.report.finish()
}

// evaluateLocals evaluates again the locals that depend on results of models.
func (e *evaluator) evaluateLocals() {
	changed := map[address]bool{}
	for _, d := range e.locals {
		depends := slices.ContainsFunc(d.refs, func(ref reference) bool { return ref.to.kind == kindModel || changed[ref.to] })
		if depends {
			changed[d.address] = true
			e.values[d.address] = e.value(d, d.expr, e.context(d))
		}
	}
}
