package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// The fixed summaries of faults in arguments.
const (
	missingArgument = "Missing required argument"
	wrongType       = "Wrong type"
	invalidValue    = "Invalid value"
	invalidQuantity = "Invalid quantity"
)

// reader reads the arguments of one instance of a block, and keeps them as the
// attributes that references to the instance see.
type reader struct {
	*frame
	d       *declaration
	inst    instance
	ctx     *hcl.EvalContext
	content *hcl.BodyContent
	rng     hcl.Range // the block's header
	name    string    // of the block, for messages
	seen    map[string]cty.Value
}

func (f *frame) reader(d *declaration, inst instance, ctx *hcl.EvalContext) *reader {
	return &reader{
		frame: f, d: d, inst: inst, ctx: ctx, content: d.content, rng: d.rng,
		name: d.String(), seen: map[string]cty.Value{},
	}
}

// section reads a block within, or nil when there is none.
func (r *reader) section(name string) *reader {
	for _, s := range r.d.nested {
		if s.name == name {
			return r.within(s)
		}
	}
	return nil
}

// within reads a block within.
func (r *reader) within(s section) *reader {
	inner := *r
	inner.content, inner.rng, inner.seen = s.content, s.rng, map[string]cty.Value{}
	inner.name = fmt.Sprintf("The %s block of %s", s.name, r.name)
	return &inner
}

// argument is one evaluated argument.
type argument struct {
	value     cty.Value // known, not null, without marks
	at        *hcl.Range
	expr      hcl.Expression
	sensitive bool
}

// get evaluates an argument and converts it. It is false when the argument is
// absent or null, or when its fault has been reported.
func (r *reader) get(name string, want cty.Type) (argument, bool) {
	attr, ok := r.content.Attributes[name]
	if !ok {
		return argument{}, false
	}
	v := r.value(r.d, attr.Expr, r.ctx)
	at := attr.Expr.Range().Ptr()
	converted, err := convertTo(v, want)
	if err != nil {
		r.faultIn(attr.Expr, wrongType, "%s %v. Write %s.", name, err, example(want))
		r.seen[name] = cty.UnknownVal(want)
		return argument{}, false
	}
	r.seen[name] = converted
	plain, marks := converted.UnmarkDeep()
	if !plain.IsWhollyKnown() {
		r.noteUnknown(at, name)
		return argument{}, false
	}
	return argument{plain, at, attr.Expr, len(marks) > 0}, !plain.IsNull()
}

// given says whether an argument is written, be it null or faulty.
func (r *reader) given(name string) bool {
	_, ok := r.content.Attributes[name]
	return ok
}

// bad reports a faulty argument, whose value is then unknown to references. The
// text of a sensitive value is not shown.
func (r *reader) bad(name string, a argument, summary, format string, args ...any) {
	r.seen[name] = cty.DynamicVal
	if a.sensitive {
		r.faultIn(a.expr, summary, "%s is not valid. Its value is sensitive and not shown; change what gives it.", name)
		return
	}
	r.faultIn(a.expr, summary, format, args...)
}

// faultIn reports a fault with the values that the expression refers to: they
// tell the instances of a block apart.
func (r *reader) faultIn(expr hcl.Expression, summary, format string, args ...any) {
	diag := newError(expr.Range().Ptr(), summary, format, args...)
	diag.Expression, diag.EvalContext = expr, r.ctx
	r.add(diag)
}

// missing reports an absent argument with the line to write.
func (r *reader) missing(name, line string) {
	if v, ok := r.seen[name]; ok && !v.IsKnown() {
		return // its fault was reported
	}
	r.seen[name] = cty.DynamicVal
	r.fault(&r.rng, missingArgument, "%s has no %s. Add a line such as:\n  %s", r.name, name, line)
}

// text reads a string; absent is def.
func (r *reader) text(name, def string) string {
	a, ok := r.get(name, cty.String)
	if !ok {
		r.fill(name, cty.StringVal(def))
		return def
	}
	return a.value.AsString()
}

// choice reads one of some strings; absent is def.
func (r *reader) choice(name, def string, allowed []string) string {
	a, ok := r.get(name, cty.String)
	if !ok {
		r.fill(name, cty.StringVal(def))
		return def
	}
	s := a.value.AsString()
	for _, candidate := range allowed {
		if s == candidate {
			return s
		}
	}
	hint := ""
	if best := nearest(s, allowed); best != "" {
		hint = fmt.Sprintf(" Did you mean %q?", best)
	}
	r.bad(name, a, invalidValue, "%s is %q. It must be one of %s.%s", name, s, strings.Join(allowed, ", "), hint)
	return def
}

func (r *reader) boolean(name string, def bool) bool {
	a, ok := r.get(name, cty.Bool)
	if !ok {
		r.fill(name, cty.BoolVal(def))
		return def
	}
	return a.value.True()
}

// whole reads an integer between two bounds; absent is def.
func (r *reader) whole(name string, least, most, def int64) int64 {
	a, ok := r.get(name, cty.Number)
	if !ok {
		r.fill(name, cty.NumberIntVal(def))
		return def
	}
	n, err := wholeNumber(a.value, least, most)
	if err != nil {
		r.bad(name, a, invalidValue, "%s %v. Write a number such as %d.", name, err, max(def, least))
		return def
	}
	return n
}

// fill gives references the default of an absent argument.
func (r *reader) fill(name string, def cty.Value) {
	if v, ok := r.seen[name]; !ok || v.IsKnown() && v.IsNull() {
		r.seen[name] = def
	}
}

// object is what references to the instance see; arguments not given are null.
func (r *reader) object(ty cty.Type) cty.Value {
	attrs := map[string]cty.Value{}
	for name, want := range ty.AttributeTypes() {
		v, ok := r.seen[name]
		switch {
		case !ok:
			v = cty.NullVal(want)
		case !v.Type().Equals(want):
			v = cty.UnknownVal(want)
		}
		attrs[name] = v
	}
	return cty.ObjectVal(attrs)
}

// noteUnknown remembers an argument whose value is not known here.
func (e *evaluator) noteUnknown(at *hcl.Range, name string) {
	e.unknown = append(e.unknown, newError(at, "Value not known yet",
		"%s depends on the result of a plan (throughput, latency or release of a model), which only outputs may use. Write a value that is known before.", name))
}

// convertTo converts a value and says what it is when it cannot be.
func convertTo(v cty.Value, want cty.Type) (cty.Value, error) {
	converted, err := convert.Convert(v, want)
	if err == nil {
		return converted, nil
	}
	if !want.IsPrimitiveType() {
		return cty.DynamicVal, fmt.Errorf("has the wrong type: %w", err)
	}
	if v.Type() == cty.String && !v.IsMarked() && v.IsKnown() && !v.IsNull() {
		return cty.DynamicVal, fmt.Errorf("must be a %s, and %q is none", want.FriendlyName(), v.AsString())
	}
	return cty.DynamicVal, fmt.Errorf("must be a %s, not a value of type %s", want.FriendlyName(), v.Type().FriendlyName())
}

// example says how to write a value of a type.
func example(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return `a text in quotes, as "text"`
	case ty == cty.Number:
		return "a number, as 3"
	case ty == cty.Bool:
		return "true or false"
	case ty.IsMapType():
		return "{ name = value }"
	}
	return "a value of type " + ty.FriendlyName()
}
