package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// idAttribute tells which block a value stands for: its address.
const idAttribute = "id"

const unknownNode = "Unknown node"

// raw evaluates an argument without asking that all of it be known: a node with
// a fault of its own can still be named.
func (r *reader) raw(name string) (cty.Value, *hcl.Attribute, bool) {
	v, attr, ok := r.shallow(name)
	v, _ = v.UnmarkDeep()
	return v, attr, ok
}

// shallow is raw for what may be large: its elements may still have marks.
func (r *reader) shallow(name string) (cty.Value, *hcl.Attribute, bool) {
	attr, ok := r.content.Attributes[name]
	if !ok {
		return cty.NilVal, nil, false
	}
	v, _ := r.value(r.d, attr.Expr, r.ctx).Unmark()
	if !v.IsKnown() {
		r.noteUnknown(attr.Expr.Range().Ptr(), name)
		r.seen[name] = cty.DynamicVal
		return v, attr, false
	}
	return v, attr, !v.IsNull()
}

// nodeList reads a list of nodes. It is false when there is none or one of its
// members is faulty.
func (r *reader) nodeList(name, fix string) ([]string, *hcl.Range, bool) {
	v, attr, ok := r.raw(name)
	if !ok {
		return nil, nil, false
	}
	at := attr.Expr.Range().Ptr()
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		if t, diags := hcl.AbsTraversalForExpr(attr.Expr); isManyNodes(v) && !diags.HasErrors() && len(t) == 2 {
			fix = fmt.Sprintf("%s = values(%s)", name, traversalAddress(t))
		}
		r.seen[name] = cty.DynamicVal
		r.fault(at, wrongType, "%s must be a list of nodes, not %s. Write %s.", name, describe(v), fix)
		return nil, at, false
	}
	places, _ := hcl.ExprList(attr.Expr)
	var addresses []string
	sound := true
	for it, i := v.ElementIterator(), 0; it.Next(); i++ {
		_, element := it.Element()
		place := at
		if len(places) == v.LengthInt() {
			place = places[i].Range().Ptr()
		}
		node, ok := r.nodeAddress(element, place, name)
		addresses = append(addresses, node)
		sound = sound && ok
	}
	return addresses, at, sound
}

// nodeAddress is the address of the node that a value stands for: a reference
// to it, or its address as a text.
func (r *reader) nodeAddress(v cty.Value, at *hcl.Range, name string) (string, bool) {
	text := v
	isReference := isReference(v)
	if isReference {
		text = v.GetAttr(idAttribute)
	}
	switch {
	case !text.IsKnown():
		r.noteUnknown(at, name)
		return "", false
	case text.IsNull() || text.Type() != cty.String:
		r.fault(at, wrongType, "%s needs a node here, not %s. Write a reference such as node.NAME%s.", name, describe(v), choose(v))
		return "", false
	}
	node, err := r.findNode(text.AsString(), isReference)
	if errors.Is(err, errNotKnown) {
		r.noteUnknown(at, name)
		return "", false
	}
	if err != nil {
		r.fault(at, unknownNode, "%v", err)
		return "", false
	}
	return node.Address, true
}

func isReference(v cty.Value) bool {
	ty := v.Type()
	return v.IsKnown() && !v.IsNull() && ty.IsObjectType() && ty.HasAttribute(idAttribute)
}

// findNode finds a node by its address. One written as a text may leave out the
// module that it is written in, as a reference does.
func (f *frame) findNode(text string, whole bool) (*Node, error) {
	named := f.nodes[text]
	if whole || f.parent == nil {
		return orUnknown(named, f, text)
	}
	own := f.nodes[f.prefix()+text]
	if own != nil && named != nil {
		return nil, fmt.Errorf("%s is a node of %s and another one outside of it. Use a reference instead of a text", quoted(text), f.inst.address)
	}
	if own != nil {
		return own, nil
	}
	return orUnknown(named, f, text)
}

// errNotKnown is a node that may be one of those that are not known.
var errNotKnown = errors.New("node is not known")

func orUnknown(n *Node, f *frame, text string) (*Node, error) {
	switch {
	case n != nil:
		return n, nil
	case f.incomplete:
		return nil, errNotKnown
	}
	return nil, fmt.Errorf("%s is no node of this configuration. %s", quoted(text), didYouMean(text, f.nodeAddresses(), "node"))
}

// quoted sets a text apart; addresses hold quotes themselves.
func quoted(text string) string {
	if strings.Contains(text, `"`) && strconv.CanBackquote(text) {
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}

func (e *evaluator) nodeAddresses() []string { return slices.Sorted(maps.Keys(e.nodes)) }

// describe says what a value is where a node was wanted.
func describe(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case isManyNodes(v):
		return "a block with for_each or count, which is several"
	}
	return "a value of type " + v.Type().FriendlyName()
}

func choose(v cty.Value) string {
	if !isManyNodes(v) || v.LengthInt() == 0 {
		return ""
	}
	var ids []string
	for it := v.ElementIterator(); it.Next() && len(ids) < 3; {
		_, element := it.Element()
		if id := element.GetAttr(idAttribute); id.IsKnown() && !id.IsNull() {
			ids = append(ids, id.AsString())
		}
	}
	return ": one of " + strings.Join(ids, ", ")
}

func isManyNodes(v cty.Value) bool {
	ty := v.Type()
	return !v.IsNull() && v.IsKnown() && (ty.IsMapType() || ty.IsListType()) && ty.ElementType().Equals(nodeType())
}
