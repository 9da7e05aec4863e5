package config

import (
	"errors"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

func anyParameter(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType}
}

// coalesceFunction is the first argument that is neither null nor an empty text.
func coalesceFunction() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{
			Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true,
		},
		Type: func(args []cty.Value) (cty.Type, error) {
			var types []cty.Type
			for _, v := range args {
				types = append(types, v.Type())
			}
			ty, _ := convert.UnifyUnsafe(types)
			if ty == cty.NilType {
				return cty.DynamicPseudoType, errors.New("all arguments must be of one type")
			}
			return ty, nil
		},
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			for _, v := range args {
				v, err := convert.Convert(v, ty)
				switch {
				case err != nil:
					return cty.UnknownVal(ty), err
				case !v.IsKnown():
					return cty.UnknownVal(ty), nil
				case v.IsNull() || ty == cty.String && v.AsString() == "":
				default:
					return v, nil
				}
			}
			return cty.UnknownVal(ty), errors.New("all arguments are null or empty")
		},
	})
}

// oneFunction is the only element of a collection, or null of an empty one.
func oneFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anyParameter("list")},
		Type: func(args []cty.Value) (cty.Type, error) {
			ty := args[0].Type()
			switch {
			case ty.IsListType() || ty.IsSetType():
				return ty.ElementType(), nil
			case ty.IsTupleType() && ty.Length() == 1:
				return ty.TupleElementType(0), nil
			case ty.IsTupleType() && ty.Length() == 0:
				return cty.DynamicPseudoType, nil
			case ty.IsTupleType():
				return cty.DynamicPseudoType, function.NewArgErrorf(0, "it has %d elements, not one or none", ty.Length())
			}
			return cty.DynamicPseudoType, function.NewArgErrorf(0, "it must be a list or a set")
		},
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			elements := args[0].AsValueSlice()
			switch len(elements) {
			case 0:
				return cty.NullVal(ty), nil
			case 1:
				return elements[0], nil
			}
			return cty.UnknownVal(ty), function.NewArgErrorf(0, "it has %d elements, not one or none", len(elements))
		},
	})
}

// indexFunction is where a value stands in a list.
func indexFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anyParameter("list"), anyParameter("value")},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			ty := args[0].Type()
			if !ty.IsListType() && !ty.IsTupleType() {
				return cty.UnknownVal(cty.Number), function.NewArgErrorf(0, "it must be a list")
			}
			if !args[0].IsWhollyKnown() || !args[1].IsWhollyKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			for i, v := range args[0].AsValueSlice() {
				if v.RawEquals(args[1]) {
					return cty.NumberIntVal(int64(i)), nil
				}
			}
			return cty.UnknownVal(cty.Number), function.NewArgErrorf(1, "the list does not have it")
		},
	})
}

// transposeFunction turns a map of lists around: what held what is held by.
func transposeFunction() function.Function {
	lists := cty.Map(cty.List(cty.String))
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "map", Type: lists}},
		Type:   function.StaticReturnType(lists),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			turned := map[string][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); { // in order of key
				key, list := it.Element()
				if !list.IsWhollyKnown() {
					return cty.UnknownVal(lists), nil
				}
				if list.IsNull() || slices.ContainsFunc(list.AsValueSlice(), cty.Value.IsNull) {
					return cty.UnknownVal(lists), function.NewArgErrorf(0, "it holds null")
				}
				for _, v := range list.AsValueSlice() {
					turned[v.AsString()] = append(turned[v.AsString()], key)
				}
			}
			if len(turned) == 0 {
				return cty.MapValEmpty(cty.List(cty.String)), nil
			}
			result := map[string]cty.Value{}
			for name, keys := range turned {
				result[name] = cty.ListVal(keys)
			}
			return cty.MapVal(result), nil
		},
	})
}

// matchKeysFunction takes the values whose key is among some.
func matchKeysFunction() function.Function {
	list := cty.List(cty.DynamicPseudoType)
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "values", Type: list}, {Name: "keys", Type: list}, {Name: "wanted", Type: list}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			if !args[1].IsWhollyKnown() || !args[2].IsWhollyKnown() {
				return cty.UnknownVal(ty), nil
			}
			values, keys, wanted := args[0].AsValueSlice(), args[1].AsValueSlice(), args[2].AsValueSlice()
			if len(values) != len(keys) {
				return cty.UnknownVal(ty), function.NewArgErrorf(1, "there are %d keys for %d values", len(keys), len(values))
			}
			var matched []cty.Value
			for i, key := range keys {
				if slices.ContainsFunc(wanted, key.RawEquals) {
					matched = append(matched, values[i])
				}
			}
			if len(matched) == 0 {
				return cty.ListValEmpty(ty.ElementType()), nil
			}
			return cty.ListVal(matched), nil
		},
	})
}

// sensitiveFunction marks a value as not to be shown, or takes the mark away.
func sensitiveFunction(sensitive bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if sensitive {
				return args[0].Mark(sensitiveMark), nil
			}
			plain, _ := args[0].UnmarkDeep()
			return plain, nil
		},
	})
}

// isSensitiveFunction says whether a value, or a part of it, may not be shown.
func isSensitiveFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true,
		}},
		Type: function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(args[0].ContainsMarked()), nil
		},
	})
}
