package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// reference is a use of something declared.
type reference struct {
	to  *declaration
	rng hcl.Range // zero for one that every block of the kind has
}

const (
	invalidReference = "Invalid reference"
	undeclared       = "Reference to something undeclared"
)

// namedKinds can be referred to as kind.name.
func namedKinds() []string {
	return []string{kindVariable, kindLocal, kindNode, kindLink, kindNetwork, kindModel, kindModule}
}

// resolve finds what every declaration refers to, and reports what it cannot.
func (l *loader) resolve(m *module) {
	for _, d := range m.order {
		d.broken = map[hcl.Expression]bool{}
		for _, expr := range d.expressions() {
			l.resolveExpression(d, expr)
		}
	}
	for _, child := range m.inOrder() {
		l.resolve(child)
	}
}

func (l *loader) resolveExpression(d *declaration, expr hcl.Expression) {
	user := d
	if d.variable != nil {
		user = d.in.call // what a variable is given is written in the module block
	}
	for _, traversal := range expr.Variables() {
		targets, diag := user.in.lookup(user, traversal)
		if diag != nil {
			d.broken[expr] = true
			l.add(diag)
		}
		for _, to := range targets {
			d.refs = append(d.refs, reference{to, traversal.SourceRange()})
		}
	}
}

// inOrder are the modules in m, as their blocks are written.
func (m *module) inOrder() []*module {
	var children []*module
	for _, d := range m.order {
		if child := m.children[d.name]; d.kind == kindModule && child != nil {
			children = append(children, child)
		}
	}
	return children
}

// lookup is what a traversal in d refers to; nothing for each, count and path.
func (m *module) lookup(d *declaration, t hcl.Traversal) ([]*declaration, *hcl.Diagnostic) {
	root, at := t.RootName(), t.SourceRange()
	switch {
	case root == "each" || root == "count":
		return nil, d.checkRepetition(t)
	case root == "path":
		return nil, checkPathReference(t)
	case !slices.Contains(namedKinds(), root):
		return nil, newError(&at, invalidReference, "There is nothing called %q. %s", root, m.hint(root))
	case len(t) < 2:
		return nil, newError(&at, invalidReference, "%q alone is no value. Write %s.NAME. %s", root, root, didYouMean("", m.addresses(root), root))
	}
	step, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return nil, newError(&at, invalidReference, "After %q a name must follow, as in %s.NAME.", root, root)
	}
	to, ok := m.byAddress[address{root, step.Name}]
	if !ok {
		wanted := address{root, step.Name}.String()
		return nil, newError(&at, undeclared, "There is no %s%s. %s", wanted, m.place(), didYouMean(wanted, m.addresses(root), root))
	}
	if to.kind == kindModule {
		return m.children[to.name].results(to, t)
	}
	return []*declaration{to}, nil
}

// place says in which module something is, or nothing in the root.
func (m *module) place() string {
	if m.parent == nil {
		return ""
	}
	return " in " + m.call.String()
}

// results are the outputs of a module that a traversal uses: the one it names,
// or all where it names none.
func (m *module) results(call *declaration, t hcl.Traversal) ([]*declaration, *hcl.Diagnostic) {
	targets := []*declaration{call}
	if m == nil {
		return targets, nil // there is no folder to look into, which was reported
	}
	if len(t) > 2 {
		if attr, ok := t[2].(hcl.TraverseAttr); ok && call.repeats() != "" {
			at := t.SourceRange()
			return nil, newError(&at, invalidReference, "%s has %s, so it is several. Write %s[KEY].%s for one of them.", call, call.repeats(), call.address, attr.Name)
		}
	}
	for _, step := range t[2:] {
		attr, ok := step.(hcl.TraverseAttr)
		if !ok {
			continue
		}
		to, ok := m.byAddress[address{kindOutput, attr.Name}]
		if !ok {
			at := t.SourceRange()
			return nil, newError(&at, undeclared, "%s has no output %q. %s", call, attr.Name, didYouMean(attr.Name, m.names(kindOutput), fmt.Sprintf("output in %s", m.dir)))
		}
		return append(targets, to), nil
	}
	for _, d := range m.order {
		if d.kind == kindOutput {
			targets = append(targets, d)
		}
	}
	return targets, nil
}

func (m *module) addresses(kind string) []string {
	names := m.names(kind)
	for i, name := range names {
		names[i] = address{kind, name}.String()
	}
	return names
}

// hint says what a lone name may have been meant to be.
func (m *module) hint(root string) string {
	for _, kind := range namedKinds() {
		if _, ok := m.byAddress[address{kind, root}]; ok {
			return fmt.Sprintf("Did you mean %s?", address{kind, root})
		}
	}
	roots := append(namedKinds(), "path", "each", "count")
	if best := nearest(root, roots); best != "" {
		return fmt.Sprintf("Did you mean %s?", best)
	}
	return fmt.Sprintf("A reference begins with %s; a text stands in quotes.", strings.Join(roots, ", "))
}

func checkPathReference(t hcl.Traversal) *hcl.Diagnostic {
	at := t.SourceRange()
	members := []string{"module", "root", "cwd"}
	var step hcl.TraverseAttr
	if len(t) > 1 {
		step, _ = t[1].(hcl.TraverseAttr)
	}
	if slices.Contains(members, step.Name) {
		return nil
	}
	return newError(&at, invalidReference, "path has only path.module, path.root and path.cwd. %s", didYouMean(step.Name, members, "path"))
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
		return newError(&at, invalidReference, "%q has a value only in a block with %s, and %s has none. Add %s, or write the value itself.", root, argument, d, argument)
	}
	if r := attribute.Expr.Range(); r.Overlaps(at) {
		return newError(&at, invalidReference, "%s cannot use %q: it is what gives %q its value. Write a value that does not depend on it.", argument, root, root)
	}
	var step hcl.TraverseAttr
	if len(t) > 1 {
		step, _ = t[1].(hcl.TraverseAttr)
	}
	if !slices.Contains(members, step.Name) {
		return newError(&at, invalidReference, "%s has only %s.%s.", root, root, strings.Join(members, " and "+root+"."))
	}
	return nil
}
