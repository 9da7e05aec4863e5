package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// explain completes hcl's errors: it names what was probably meant, and hides
// sensitive values.
func (f *frame) explain(diag *hcl.Diagnostic) {
	if diag.Expression == nil || diag.EvalContext == nil {
		return
	}
	switch diag.Summary {
	case "Invalid index":
		f.explainIndex(diag)
	case "Unsupported attribute":
		explainAttribute(diag)
	case "Call to unknown function":
		f.explainFunction(diag)
	case "Invalid function argument", "Error in function call":
		hideSensitive(diag)
	}
}

// explainIndex says which key a block with for_each or count does not have.
func (f *frame) explainIndex(diag *hcl.Diagnostic) {
	of, key, ok := indexed(diag.Expression, diag.EvalContext)
	if !ok {
		return
	}
	instances := f.repeated[of]
	if len(instances) == 0 {
		return
	}
	var addresses []string
	for _, i := range instances {
		addresses = append(addresses, of.String()+i.suffix())
	}
	wanted := of.String() + instance{key: key}.suffix()
	diag.Summary = "Reference to something undeclared"
	if instances[0].key == cty.NilVal {
		diag.Detail = fmt.Sprintf("There is no %s: %s has neither for_each nor count, so it is a single %s. Write %s.", wanted, of, of.kind, of)
		return
	}
	diag.Detail = fmt.Sprintf("There is no %s. %s", wanted, didYouMean(wanted, addresses, of.kind))
}

// indexed takes node.pi["hall"], or node.pi[each.key], apart.
func indexed(expr hcl.Expression, ctx *hcl.EvalContext) (address, cty.Value, bool) {
	switch expr := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		if len(expr.Traversal) < 3 {
			return address{}, cty.NilVal, false
		}
		step, ok := expr.Traversal[2].(hcl.TraverseIndex)
		return traversalAddress(expr.Traversal), step.Key, ok
	case *hclsyntax.IndexExpr:
		collection, ok := expr.Collection.(*hclsyntax.ScopeTraversalExpr)
		if !ok || len(collection.Traversal) != 2 {
			return address{}, cty.NilVal, false
		}
		key, diags := expr.Key.Value(ctx)
		printable := !diags.HasErrors() && !key.IsMarked() && key.IsKnown() && !key.IsNull() && key.Type().IsPrimitiveType()
		return traversalAddress(collection.Traversal), key, printable
	}
	return address{}, cty.NilVal, false
}

func traversalAddress(t hcl.Traversal) address {
	if step, ok := t[1].(hcl.TraverseAttr); ok {
		return address{t.RootName(), step.Name}
	}
	return address{}
}

// explainAttribute adds the attribute that was probably meant.
func explainAttribute(diag *hcl.Diagnostic) {
	start, steps := cty.NilVal, hcl.Traversal(nil)
	switch expr := diag.Expression.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		v, diags := expr.Traversal[:1].TraverseAbs(diag.EvalContext)
		if diags.HasErrors() {
			return
		}
		start, steps = v, expr.Traversal[1:]
	case *hclsyntax.RelativeTraversalExpr:
		v, diags := expr.Source.Value(diag.EvalContext)
		if diags.HasErrors() {
			return
		}
		start, steps = v, expr.Traversal
	}
	for _, step := range steps {
		next, diags := step.TraversalStep(start)
		if attr, ok := step.(hcl.TraverseAttr); ok && diags.HasErrors() && start.Type().IsObjectType() {
			names := slices.Sorted(maps.Keys(start.Type().AttributeTypes()))
			diag.Detail += " " + didYouMean(attr.Name, names, "attribute")
			return
		}
		if diags.HasErrors() {
			return
		}
		start = next
	}
}

// explainFunction proposes a function. hcl's own proposal is one of several at random.
func (f *frame) explainFunction(diag *hcl.Diagnostic) {
	if call, ok := diag.Expression.(*hclsyntax.FunctionCallExpr); ok {
		names := slices.Sorted(maps.Keys(f.functions))
		diag.Detail = fmt.Sprintf("There is no function named %q. %s", call.Name, didYouMean(call.Name, names, "function"))
	}
}

// hideSensitive replaces what a function says of a sensitive argument.
func hideSensitive(diag *hcl.Diagnostic) {
	for _, t := range diag.Expression.Variables() {
		if v, diags := t.TraverseAbs(diag.EvalContext); !diags.HasErrors() && v.ContainsMarked() {
			diag.Detail = "The function failed. It was given a sensitive value, so its own message is not shown; check that value."
			return
		}
	}
}
