package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// templateFileFunction renders a file as a template whose variables are those of
// an object. Templates may call every function but this one.
func templateFileFunction(dir string, others map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			unknown := cty.UnknownVal(cty.String)
			path, content, err := readText(dir, args[0].AsString())
			if err != nil {
				return unknown, function.NewArgError(0, err)
			}
			if ty := args[1].Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return unknown, function.NewArgErrorf(1, "it must be an object, as { name = value }")
			}
			v, err := render(path, content, args[1].AsValueMap(), others)
			if err != nil {
				return unknown, function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}

func render(path, content string, vars map[string]cty.Value, functions map[string]function.Function) (cty.Value, error) {
	tokens, _ := hclsyntax.LexTemplate([]byte(content), path, hcl.InitialPos)
	if diag := countNesting(tokens); diag != nil {
		return cty.NilVal, errors.New(diag.Error())
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(content), path, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, errors.New(diags.Error())
	}
	for _, t := range expr.Variables() {
		if _, ok := vars[t.RootName()]; !ok {
			return cty.NilVal, fmt.Errorf("%s uses %q, which is not among the variables given. %s", t.SourceRange(), t.RootName(),
				didYouMean(t.RootName(), slices.Sorted(maps.Keys(vars)), "variable"))
		}
	}
	v, diags := expr.Value(&hcl.EvalContext{Variables: vars, Functions: functions})
	if diags.HasErrors() {
		return cty.NilVal, errors.New(diags.Error())
	}
	return convert.Convert(v, cty.String)
}
