package config

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// maxCount bounds count.
const maxCount = 10_000

// instance is one thing that a block declares: the block itself, or one of
// those that for_each or count make of it.
type instance struct {
	address string    // node.pi["hall"]
	key     cty.Value // cty.NilVal without for_each and count
	value   cty.Value // each.value
}

// suffix is ["hall"], [0] or nothing.
func (i instance) suffix() string {
	if i.key == cty.NilVal {
		return ""
	}
	return "[" + string(hclwrite.TokensForValue(i.key).Bytes()) + "]"
}

// each evaluates every instance of d with read, and gives the value that
// references to d have: an object, a map of them by key, or a list.
func (f *frame) each(d *declaration, ty cty.Type, read func(*reader) cty.Value) cty.Value {
	ctx := f.context(d.refs)
	instances, ok := f.instances(d, ctx)
	if !ok {
		return cty.DynamicVal
	}
	f.repeated[d.address] = instances
	values := make([]keyed, len(instances))
	for i, inst := range instances {
		values[i] = keyed{inst.key, read(f.checked(d, inst, ctx))}
	}
	return combine(d, ty, values)
}

// checked is the reader of one instance, whose preconditions have been checked.
func (f *frame) checked(d *declaration, inst instance, ctx *hcl.EvalContext) *reader {
	r := f.reader(d, inst, instanceContext(ctx, d, inst))
	r.preconditions()
	return r
}

// counted bounds the instances of the whole configuration.
func (f *frame) counted(d *declaration, instances []instance) ([]instance, bool) {
	before := f.made
	f.made += len(instances)
	if before <= maxInstances && f.made > maxInstances {
		f.fault(&d.rng, "Too many instances", "for_each and count make more than %d instances, the last of them of %s. Make fewer.", maxInstances, d)
	}
	return instances, f.made <= maxInstances
}

// keyed is the value of one instance.
type keyed struct{ key, value cty.Value }

// combine gives the value of a block from those of its instances, in order.
func combine(d *declaration, ty cty.Type, values []keyed) cty.Value {
	switch {
	case d.attribute("for_each") != nil:
		byKey := map[string]cty.Value{}
		for _, v := range values {
			byKey[v.key.AsString()] = v.value
		}
		if len(byKey) == 0 {
			return cty.MapValEmpty(ty)
		}
		return cty.MapVal(byKey)
	case d.attribute("count") != nil:
		var list []cty.Value
		for _, v := range values {
			list = append(list, v.value)
		}
		if len(list) == 0 {
			return cty.ListValEmpty(ty)
		}
		return cty.ListVal(list)
	}
	return values[0].value
}

func instanceContext(ctx *hcl.EvalContext, d *declaration, inst instance) *hcl.EvalContext {
	if inst.key == cty.NilVal {
		return ctx
	}
	child := ctx.NewChild()
	if d.attribute("count") != nil {
		child.Variables = map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": inst.key})}
		return child
	}
	child.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": inst.key, "value": inst.value})}
	return child
}

// instances are what for_each or count make of d, in order of key. It is false
// when that cannot be told.
func (f *frame) instances(d *declaration, ctx *hcl.EvalContext) ([]instance, bool) {
	forEach, count := d.attribute("for_each"), d.attribute("count")
	switch {
	case forEach != nil && count != nil:
		f.fault(&count.NameRange, "Both for_each and count", "%s has for_each and count. Keep one of them.", d)
		return nil, false
	case forEach != nil:
		return f.byKey(d, forEach, ctx)
	case count != nil:
		return f.byCount(d, count, ctx)
	}
	return f.counted(d, []instance{{address: f.prefix() + d.address.String()}})
}

const invalidForEach = "Invalid for_each"

func (f *frame) byKey(d *declaration, attr *hcl.Attribute, ctx *hcl.EvalContext) ([]instance, bool) {
	v := f.value(d, attr.Expr, ctx)
	at := attr.Expr.Range().Ptr()
	ty := v.Type()
	switch {
	case v.IsMarked():
		f.fault(at, invalidForEach, "The keys become addresses, which are shown, and this value is sensitive. Use a value that is not; nonsensitive parts of it can be variables of their own.")
		return nil, false
	case v.IsNull() && v.IsKnown():
		f.fault(at, invalidForEach, "The value is null. Give a map or a set of strings; an empty one makes nothing.")
		return nil, false
	case !v.IsKnown() || ty.IsSetType() && !v.IsWhollyKnown():
		f.noteUnknown(at, "for_each")
		f.incomplete = true
		return nil, false
	case ty.IsListType() || ty.IsTupleType():
		f.fault(at, invalidForEach, "A list has no keys that stay when its order changes. Write toset(...) around it.")
		return nil, false
	case !ty.IsMapType() && !ty.IsObjectType() && !(ty.IsSetType() && ty.ElementType() == cty.String) && !isEmptySet(v):
		f.fault(at, invalidForEach, "This is a value of type %s. Give a map, or a set of strings such as toset([\"hall\", \"gate\"]).", ty.FriendlyName())
		return nil, false
	}
	return f.keyedInstances(d, v, at)
}

func isEmptySet(v cty.Value) bool { return v.Type().IsSetType() && v.LengthInt() == 0 }

func (f *frame) keyedInstances(d *declaration, v cty.Value, at *hcl.Range) ([]instance, bool) {
	var instances []instance
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if key.IsNull() {
			f.fault(at, invalidForEach, "One of the keys is null. Take it out, as with compact(...).")
			return nil, false
		}
		instances = append(instances, instance{key: key, value: value})
	}
	slices.SortFunc(instances, func(a, b instance) int { return cmp.Compare(a.key.AsString(), b.key.AsString()) })
	for i := range instances {
		instances[i].address = f.prefix() + d.address.String() + instances[i].suffix()
	}
	return f.counted(d, instances)
}

func (f *frame) byCount(d *declaration, attr *hcl.Attribute, ctx *hcl.EvalContext) ([]instance, bool) {
	v, _ := f.value(d, attr.Expr, ctx).Unmark()
	at := attr.Expr.Range().Ptr()
	if !v.IsKnown() {
		f.noteUnknown(at, "count")
		f.incomplete = true
		return nil, false
	}
	n, err := wholeNumber(v, 0, maxCount)
	if err != nil {
		f.fault(at, "Invalid count", "count %v. Write a number such as 3, or 0 for none.", err)
		return nil, false
	}
	instances := make([]instance, n)
	for i := range instances {
		instances[i].key = cty.NumberIntVal(int64(i))
		instances[i].address = f.prefix() + d.address.String() + instances[i].suffix()
	}
	return f.counted(d, instances)
}

// wholeNumber converts a known value to an integer between two bounds.
func wholeNumber(v cty.Value, least, most int64) (int64, error) {
	n, err := convertTo(v, cty.Number)
	if err != nil {
		return 0, err
	}
	if n.IsNull() {
		return 0, fmt.Errorf("is null")
	}
	f := n.AsBigFloat()
	i, accuracy := f.Int64()
	if accuracy != big.Exact && f.IsInt() || accuracy == big.Exact && (i < least || i > most) {
		return 0, fmt.Errorf("must be from %d to %d", least, most)
	}
	if accuracy != big.Exact {
		return 0, fmt.Errorf("must be a whole number")
	}
	return i, nil
}
