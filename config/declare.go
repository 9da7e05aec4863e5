package config

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// address names something declared: local.fps, node.pi.
type address struct{ kind, name string }

func (a address) String() string {
	if a.name == "" {
		return a.kind
	}
	return a.kind + "." + a.name
}

// declaration is one block, or one local value, before evaluation.
type declaration struct {
	address
	in      *module
	rng     hcl.Range // the block's header, or the local's name
	content *hcl.BodyContent
	nested  []section      // blocks within
	expr    hcl.Expression // of a local value, or what a module block gives a variable

	variable *variable                 // of a variable
	source   *hcl.Attribute            // of a module block
	inputs   map[string]*hcl.Attribute // of a module block, by variable

	refs []reference
	// broken are expressions with a reference that was reported.
	broken map[hcl.Expression]bool
	// cyclic declarations have no value.
	cyclic bool
}

// section is a block within a block.
type section struct {
	name    string
	rng     hcl.Range
	content *hcl.BodyContent
}

// String is the address with the modules it stands in.
func (d *declaration) String() string {
	if d.kind == kindEveryNode {
		return kindEveryNode + d.in.place()
	}
	return d.in.prefix() + d.address.String()
}

func (d *declaration) attribute(name string) *hcl.Attribute {
	if d.content == nil {
		return nil
	}
	return d.content.Attributes[name]
}

// repeats is for_each or count, whichever the block has, or "".
func (d *declaration) repeats() string {
	for _, name := range []string{"for_each", "count"} {
		if d.attribute(name) != nil {
			return name
		}
	}
	return ""
}

// expressions of the declaration in order of place.
func (d *declaration) expressions() []hcl.Expression {
	if d.expr != nil {
		return []hcl.Expression{d.expr}
	}
	expressions := expressionsOf(d.content)
	for _, s := range d.nested {
		expressions = append(expressions, expressionsOf(s.content)...)
	}
	return expressions
}

func expressionsOf(content *hcl.BodyContent) []hcl.Expression {
	if content == nil {
		return nil
	}
	var expressions []hcl.Expression
	for _, a := range content.Attributes {
		expressions = append(expressions, a.Expr)
	}
	slices.SortFunc(expressions, func(a, b hcl.Expression) int {
		return compareRanges(a.Range().Ptr(), b.Range().Ptr())
	})
	return expressions
}

// declare collects the blocks of all files of a module and refuses duplicates.
func (l *loader) declare(m *module, bodies []hcl.Body) {
	for _, body := range bodies {
		for _, block := range l.content(body, rootShape()).Blocks {
			l.declareBlock(m, block)
		}
	}
}

func (l *loader) declareBlock(m *module, block *hcl.Block) {
	switch block.Type {
	case "locals":
		l.declareLocals(m, block)
	case "variable":
		l.declareVariable(m, block)
	case kindModule:
		l.declareModule(m, block)
	default:
		d := &declaration{address: address{kind: block.Type}, rng: block.DefRange}
		if len(block.Labels) > 0 {
			d.name = block.Labels[0]
			l.checkName(block)
		}
		d.content = l.content(block.Body, shapeOf(block.Type))
		if block.Type == kindSettings {
			l.declareBackend(m, d.content.Blocks)
		} else {
			d.nested = l.sections(d.content)
		}
		l.addDeclaration(m, d)
		if block.Type == kindNode {
			l.declareProfileOf(m, d)
		}
	}
}

// declareModule reads a module block: source, for_each and count, and inputs.
func (l *loader) declareModule(m *module, block *hcl.Block) {
	l.checkName(block)
	attributes, diags := block.Body.JustAttributes()
	l.add(diags...)
	d := &declaration{
		address: address{kindModule, block.Labels[0]}, rng: block.DefRange,
		content: &hcl.BodyContent{Attributes: hcl.Attributes{}}, inputs: map[string]*hcl.Attribute{},
	}
	for name, attr := range attributes {
		switch name {
		case moduleSource:
			d.source = attr
		case "for_each", "count":
			d.content.Attributes[name] = attr
		default:
			d.inputs[name] = attr
		}
	}
	l.addDeclaration(m, d)
}

// sections reads nested blocks, each of which may stand once, but for conditions.
func (l *loader) sections(content *hcl.BodyContent) []section {
	var sections []section
	for _, block := range content.Blocks {
		same := func(s section) bool { return s.name == block.Type && s.name != preconditionType }
		if i := slices.IndexFunc(sections, same); i >= 0 {
			l.fault(&block.DefRange, "Duplicate block",
				"A %s block stands here already, at %s. Merge the two.", block.Type, sections[i].rng)
			continue
		}
		sections = append(sections, section{block.Type, block.DefRange, l.content(block.Body, shapeOf(block.Type))})
	}
	return sections
}

func (l *loader) declareLocals(m *module, block *hcl.Block) {
	attributes, diags := block.Body.JustAttributes()
	l.add(diags...)
	var locals []*hcl.Attribute
	for _, a := range attributes {
		locals = append(locals, a)
	}
	slices.SortFunc(locals, func(a, b *hcl.Attribute) int { return compareRanges(&a.NameRange, &b.NameRange) })
	for _, a := range locals {
		l.addDeclaration(m, &declaration{address: address{kindLocal, a.Name}, rng: a.NameRange, expr: a.Expr})
	}
}

func (l *loader) addDeclaration(m *module, d *declaration) bool {
	d.in = m
	first, taken := m.byAddress[d.address]
	switch {
	case !taken:
		m.byAddress[d.address] = d
		m.order = append(m.order, d)
		return true
	case d.name == "":
		l.fault(&d.rng, "Duplicate block", "There is already one %s block, at %s. Merge the two.", d.kind, first.rng)
	default:
		l.fault(&d.rng, "Duplicate name", "%s is already declared at %s. Rename one of them.", d, first.rng)
	}
	return false
}

// modelName is what may become the name of a folder on a device.
var modelName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

const maxNameBytes = 64

func (l *loader) checkName(block *hcl.Block) {
	name, at := block.Labels[0], block.LabelRanges[0].Ptr()
	switch {
	case !hclsyntax.ValidIdentifier(name):
		l.fault(at, "Invalid name",
			"%q cannot be referred to. A name begins with a letter and holds letters, digits, _ and -.", name)
	case len(name) > maxNameBytes:
		l.fault(at, "Invalid name", "This name has more than %d bytes. Shorten it.", maxNameBytes)
	case block.Type == "model" && !modelName.MatchString(name):
		l.fault(at, "Invalid name",
			"%q names files on the devices. Use the letters a to z, digits, _ and - only.", fmt.Sprint(name))
	}
}
