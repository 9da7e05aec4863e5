package diagnostic

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// maxShown bounds the bytes of a text that is shown.
const maxShown = 200

// Value is what something in a faulty expression stood for: what tells the
// instances of a block with for_each apart.
type Value struct {
	Traversal string `json:"traversal"` // each.key
	Statement string `json:"statement"` // is "hall"
}

// valuesOf are the values in a diagnostic's expression, in order.
func valuesOf(d *hcl.Diagnostic) []Value {
	if d.Expression == nil || d.EvalContext == nil {
		return nil
	}
	var values []Value
	for _, t := range d.Expression.Variables() {
		v, diags := t.TraverseAbs(d.EvalContext)
		if diags.HasErrors() {
			continue // it is what is wrong
		}
		if statement := statementOf(v); statement != "" {
			values = append(values, Value{traversalText(t), statement})
		}
	}
	slices.SortFunc(values, func(a, b Value) int { return cmp.Compare(a.Traversal, b.Traversal) })
	return slices.Compact(values)
}

// statementOf says what a value is, and nothing of a sensitive one.
func statementOf(v cty.Value) string {
	switch {
	case v.IsMarked():
		return "has a sensitive value"
	case !v.IsKnown() && v.Type() == cty.DynamicPseudoType:
		return ""
	case !v.IsKnown():
		return "is a " + v.Type().FriendlyName() + ", known only after a plan"
	case v.IsNull():
		return "is null"
	}
	return "is " + shown(v)
}

func shown(v cty.Value) string {
	switch ty := v.Type(); {
	case ty == cty.Bool:
		return strconv.FormatBool(v.True())
	case ty == cty.Number:
		return v.AsBigFloat().Text('g', 10)
	case ty == cty.String:
		return quoted(v.AsString())
	case ty.IsObjectType():
		return "object with " + counted(len(ty.AttributeTypes()), "attribute")
	case ty.IsCollectionType() || ty.IsTupleType():
		return ty.FriendlyName() + " with " + counted(v.LengthInt(), "element")
	}
	return "a " + v.Type().FriendlyName()
}

func quoted(text string) string {
	if len(text) > maxShown {
		return strconv.Quote(strings.ToValidUTF8(text[:maxShown], "")) + "..."
	}
	return strconv.Quote(text)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + indexText(step.Key) + "]")
		}
	}
	return b.String()
}

func indexText(key cty.Value) string {
	if key.IsKnown() && !key.IsNull() && !key.IsMarked() && key.Type().IsPrimitiveType() {
		return shown(key)
	}
	return "..."
}
