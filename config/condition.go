package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

const (
	preconditionType = "precondition"
	validationType   = "validation"
	conditionFailed  = "Condition not met"
)

// condition is a precondition block of one instance, or a validation of a
// variable: something that must be true, and the user's own words for when it is not.
type condition struct {
	*reader
	section section
}

// verdict on a condition.
type verdict int

const (
	holds verdict = iota // or its fault has been reported
	fails
	undecided // until the results of models are known
)

// in is the condition with the values of a frame of its module.
func (c condition) in(f *frame) condition {
	moved := *c.reader
	moved.frame = f
	moved.ctx = instanceContext(f.context(c.d.refs), c.d, c.inst)
	return condition{&moved, c.section}
}

// preconditions are checked for every instance of a block.
func (r *reader) preconditions() {
	for _, s := range r.d.nested {
		if s.name == preconditionType {
			condition{r, s}.decide()
		}
	}
}

// validate checks one validation block of a variable.
func (f *frame) validate(d *declaration) {
	r := f.reader(d, instance{address: d.String()}, f.context(d.refs))
	r.name = "var." + strings.Split(d.name, "[")[0]
	condition{r, section{validationType, d.rng, d.content}}.decide()
}

// decide reports a condition that is false. One that depends on results of
// models is kept until they are known.
func (c condition) decide() {
	r := c.within(c.section)
	v, attr := r.judge()
	if v == undecided {
		c.pending = append(c.pending, c)
	}
	message := r.errorMessage()
	if v != fails {
		return
	}
	diag := newError(attr.Expr.Range().Ptr(), conditionFailed, "%s: %s", c.inst.address, message)
	if c.section.name == validationType {
		diag.Summary, diag.Detail = invalidVariable, message
	}
	diag.Expression, diag.EvalContext = attr.Expr, r.ctx
	r.add(diag)
}

// judge evaluates the condition of a block.
func (r *reader) judge() (verdict, *hcl.Attribute) {
	attr := r.content.Attributes["condition"]
	if attr == nil {
		r.missing("condition", "condition = var.NAME > 0")
		return holds, nil
	}
	v, _ := r.value(r.d, attr.Expr, r.ctx).Unmark()
	converted, err := convertTo(v, cty.Bool)
	switch {
	case err != nil:
		r.faultIn(attr.Expr, wrongType, "condition %v. Write %s.", err, example(cty.Bool))
		return holds, attr
	case !converted.IsKnown():
		return undecided, attr
	case converted.IsNull():
		r.fault(attr.Expr.Range().Ptr(), invalidValue, "condition is null. Write an expression that is true or false.")
		return holds, attr
	case converted.True():
		return holds, attr
	}
	return fails, attr
}

// errorMessage is the user's own text.
func (r *reader) errorMessage() string {
	attr := r.content.Attributes["error_message"]
	if attr == nil {
		r.missing("error_message", `error_message = "What must be true, and what to do."`)
		return ""
	}
	v := r.value(r.d, attr.Expr, r.ctx)
	text, err := convertTo(v, cty.String)
	switch {
	case err != nil:
		r.fault(attr.Expr.Range().Ptr(), wrongType, "error_message %v. Write %s.", err, example(cty.String))
	case text.IsMarked():
		return "The message holds a sensitive value and is not shown."
	case !text.IsKnown() || text.IsNull():
		return "The condition is false, and its error_message has no value."
	default:
		return text.AsString()
	}
	return ""
}
