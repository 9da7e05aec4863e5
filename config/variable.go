package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/diagnostic"
)

// kindValidation is a validation block of a variable, numbered after it.
const kindValidation = "validation of var"

// mark tells values apart that may not be shown.
type mark string

const sensitiveMark mark = "sensitive"

// variable is a variable block.
type variable struct {
	name      string
	rng       hcl.Range
	ty        cty.Type
	defaults  *typeexpr.Defaults
	text      bool // a value of the command line is the text itself, not an expression
	def       cty.Value
	defRange  *hcl.Range
	sensitive bool
	nullable  bool
}

func (l *loader) declareVariable(m *module, block *hcl.Block) {
	content := l.content(block.Body, shapeOf("variable"))
	l.checkName(block)
	v := &variable{name: block.Labels[0], rng: block.DefRange, ty: cty.DynamicPseudoType, text: true, def: cty.NilVal}
	d := &declaration{address: address{kindVariable, v.name}, rng: block.DefRange, variable: v}
	if m.parent != nil && m.call.inputs[v.name] != nil {
		d.expr = m.call.inputs[v.name].Expr
	}
	first := l.addDeclaration(m, d)
	if first {
		m.variables = append(m.variables, v)
	}
	v.sensitive = l.constantBool(content, "sensitive", false)
	v.nullable = l.constantBool(content, "nullable", true)
	l.constant(content, "description", cty.String)
	l.variableType(v, content)
	l.variableDefault(v, content)
	if first {
		l.declareValidations(m, v, content)
	}
}

func (l *loader) variableType(v *variable, content *hcl.BodyContent) {
	attr, ok := content.Attributes["type"]
	if !ok {
		return
	}
	if diag := checkTypeNesting(attr.Expr); diag != nil {
		l.add(diag)
		return
	}
	ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(attr.Expr)
	for _, d := range diags {
		d.Detail += " The types are string, number, bool, any, list(...), set(...), map(...), tuple([...]) and object({...})."
	}
	l.add(diags...)
	if diags.HasErrors() {
		return
	}
	v.ty, v.defaults, v.text = ty, defaults, ty.IsPrimitiveType()
}

func (l *loader) variableDefault(v *variable, content *hcl.BodyContent) {
	attr, ok := content.Attributes["default"]
	if !ok {
		return
	}
	v.defRange = attr.Expr.Range().Ptr()
	v.def = cty.UnknownVal(v.ty)
	value, diags := attr.Expr.Value(nil)
	l.addConstantFaults("The default of a variable", diags)
	if diags.HasErrors() {
		return
	}
	converted, err := v.convert(value)
	if err != nil {
		l.add(v.hide(newError(v.defRange, "Invalid default", "The default of var.%s %v. Make the default and the type agree.", v.name, err)))
		return
	}
	v.def = converted
}

// convert gives a value the variable's type and, where needed, its mark.
func (v *variable) convert(value cty.Value) (cty.Value, error) {
	if v.sensitive {
		value = value.Mark(sensitiveMark)
	}
	if v.defaults != nil && value.IsKnown() && !value.IsNull() {
		unmarked, marks := value.Unmark()
		value = v.defaults.Apply(unmarked).WithMarks(marks)
	}
	converted, err := convertTo(value, v.ty)
	if err != nil {
		return cty.DynamicVal, err
	}
	if !v.nullable && converted.IsNull() {
		return cty.DynamicVal, fmt.Errorf("is null, and nullable is false")
	}
	return converted, nil
}

// hide keeps the source of a fault in a sensitive value to itself.
func (v *variable) hide(d *hcl.Diagnostic) *hcl.Diagnostic {
	if v.sensitive {
		return diagnostic.HideSource(d)
	}
	return d
}

// useDefault says whether a value gives way to the default: null does, where null
// is not allowed.
func (v *variable) useDefault(value cty.Value) bool {
	return value.IsNull() && !v.nullable && v.def != cty.NilVal
}

// constant reads an argument that may refer to nothing.
func (l *loader) constant(content *hcl.BodyContent, name string, ty cty.Type) (cty.Value, bool) {
	attr, ok := content.Attributes[name]
	if !ok {
		return cty.NilVal, false
	}
	return l.constantAttribute(attr, ty)
}

func (l *loader) constantAttribute(attr *hcl.Attribute, ty cty.Type) (cty.Value, bool) {
	v, diags := attr.Expr.Value(nil)
	l.addConstantFaults(attr.Name, diags)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	converted, err := convertTo(v, ty)
	if err != nil || converted.IsNull() || !converted.IsKnown() {
		l.fault(attr.Expr.Range().Ptr(), wrongType, "%s must be a %s. Write %s.", attr.Name, ty.FriendlyName(), example(ty))
		return cty.NilVal, false
	}
	return converted, true
}

func (l *loader) constantBool(content *hcl.BodyContent, name string, def bool) bool {
	v, ok := l.constant(content, name, cty.Bool)
	if !ok {
		return def
	}
	return v.True()
}

// addConstantFaults ends hcl's errors about references in the way out.
func (l *loader) addConstantFaults(what string, diags hcl.Diagnostics) {
	for _, d := range diags {
		if d.Summary == "Variables not allowed" || d.Summary == "Function calls not allowed" {
			d.Detail = fmt.Sprintf("%s must be written out. Use locals { } for what is computed from other values.", what)
		}
	}
	l.add(diags...)
}

func (l *loader) declareValidations(m *module, v *variable, content *hcl.BodyContent) {
	for i, block := range content.Blocks {
		l.addDeclaration(m, &declaration{
			address: address{kindValidation, fmt.Sprintf("%s[%d]", v.name, i)},
			rng:     block.DefRange,
			content: l.content(block.Body, shapeOf(validationType)),
		})
	}
}
