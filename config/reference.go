package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// reference is a use of something declared.
type reference struct {
	to  address
	rng hcl.Range // zero for one that every block of the kind has
}

// namedKinds can be referred to as kind.name.
func namedKinds() []string {
	return []string{kindVariable, kindLocal, kindNode, kindLink, kindNetwork, kindModel}
}

// resolve finds what every declaration refers to, and reports what it cannot.
func (l *loader) resolve(ds *declarations) {
	for _, d := range ds.order {
		d.broken = map[hcl.Expression]bool{}
		for _, expr := range d.expressions() {
			for _, traversal := range expr.Variables() {
				to, diag := ds.lookup(d, traversal)
				if diag != nil {
					d.broken[expr] = true
					l.add(diag)
				} else if to != (address{}) {
					d.refs = append(d.refs, reference{to, traversal.SourceRange()})
				}
			}
		}
	}
}

// lookup is what a traversal in d refers to; the empty address for each and count.
func (ds *declarations) lookup(d *declaration, t hcl.Traversal) (address, *hcl.Diagnostic) {
	root, at := t.RootName(), t.SourceRange()
	if root == "each" || root == "count" {
		return address{}, d.checkRepetition(t)
	}
	if !slices.Contains(namedKinds(), root) {
		return address{}, newError(&at, "Invalid reference", "There is nothing called %q. %s", root, ds.hint(root))
	}
	if len(t) < 2 {
		return address{}, newError(&at, "Invalid reference", "%q alone is no value. Write %s.NAME. %s", root, root, didYouMean("", ds.addresses(root), root))
	}
	step, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return address{}, newError(&at, "Invalid reference", "After %q a name must follow, as in %s.NAME.", root, root)
	}
	to := address{root, step.Name}
	if _, ok := ds.byAddress[to]; !ok {
		return address{}, newError(&at, "Reference to something undeclared", "There is no %s. %s", to, didYouMean(to.String(), ds.addresses(root), root))
	}
	return to, nil
}

func (ds *declarations) addresses(kind string) []string {
	names := ds.names(kind)
	for i, name := range names {
		names[i] = address{kind, name}.String()
	}
	return names
}

// hint says what a lone name may have been meant to be.
func (ds *declarations) hint(root string) string {
	for _, kind := range namedKinds() {
		if _, ok := ds.byAddress[address{kind, root}]; ok {
			return fmt.Sprintf("Did you mean %s?", address{kind, root})
		}
	}
	roots := append(namedKinds(), "each", "count")
	if best := nearest(root, roots); best != "" {
		return fmt.Sprintf("Did you mean %s?", best)
	}
	return fmt.Sprintf("A reference begins with %s; a text stands in quotes.", strings.Join(roots, ", "))
}

// checkRepetition allows each in a block with for_each, and count in one with count.
func (d *declaration) checkRepetition(t hcl.Traversal) *hcl.Diagnostic {
	at, root := t.SourceRange(), t.RootName()
	argument, members := "for_each", []string{"key", "value"}
	if root == "count" {
		argument, members = "count", []string{"index"}
	}
	attribute := d.attribute(argument)
	if attribute == nil {
		return newError(&at, "Invalid reference", "%q has a value only in a block with %s, and %s has none. Add %s, or write the value itself.", root, argument, d.address, argument)
	}
	if r := attribute.Expr.Range(); r.Overlaps(at) {
		return newError(&at, "Invalid reference", "%s cannot use %q: it is what gives %q its value. Write a value that does not depend on it.", argument, root, root)
	}
	var step hcl.TraverseAttr
	if len(t) > 1 {
		step, _ = t[1].(hcl.TraverseAttr)
	}
	if !slices.Contains(members, step.Name) {
		return newError(&at, "Invalid reference", "%s has only %s.%s.", root, root, strings.Join(members, " and "+root+"."))
	}
	return nil
}
