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
	rng     hcl.Range // the block's header, or the local's name
	content *hcl.BodyContent
	nested  []section      // blocks within
	expr    hcl.Expression // of a local value

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

// declarations are all things of a folder.
type declarations struct {
	order     []*declaration // as written, files in order of name
	byAddress map[address]*declaration
	variables []*variable // as written
}

func (ds *declarations) names(kind string) []string {
	var names []string
	for _, d := range ds.order {
		if d.kind == kind {
			names = append(names, d.name)
		}
	}
	slices.Sort(names)
	return names
}

func (d *declaration) attribute(name string) *hcl.Attribute {
	if d.content == nil {
		return nil
	}
	return d.content.Attributes[name]
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

// declare collects the blocks of all files and refuses duplicates.
func (l *loader) declare(bodies []hcl.Body) *declarations {
	ds := &declarations{byAddress: map[address]*declaration{}}
	for _, body := range bodies {
		for _, block := range l.content(body, rootShape()).Blocks {
			l.declareBlock(ds, block)
		}
	}
	return ds
}

func (l *loader) declareBlock(ds *declarations, block *hcl.Block) {
	switch block.Type {
	case "locals":
		l.declareLocals(ds, block)
	case "variable":
		l.declareVariable(ds, block)
	default:
		d := &declaration{address: address{kind: block.Type}, rng: block.DefRange}
		if len(block.Labels) > 0 {
			d.name = block.Labels[0]
			l.checkName(block)
		}
		s := shapeOf(block.Type)
		d.content = l.content(block.Body, s)
		if block.Type == kindSettings {
			l.config.Settings.Backend = l.backend(d.content.Blocks)
		} else {
			d.nested = l.sections(d.content)
		}
		l.addDeclaration(ds, d)
	}
}

// sections reads nested blocks, each of which may stand once.
func (l *loader) sections(content *hcl.BodyContent) []section {
	var sections []section
	for _, block := range content.Blocks {
		same := func(s section) bool { return s.name == block.Type }
		if i := slices.IndexFunc(sections, same); i >= 0 {
			l.fault(&block.DefRange, "Duplicate block",
				"A %s block stands here already, at %s. Merge the two.", block.Type, sections[i].rng)
			continue
		}
		sections = append(sections, section{block.Type, block.DefRange, l.content(block.Body, shapeOf(block.Type))})
	}
	return sections
}

func (l *loader) declareLocals(ds *declarations, block *hcl.Block) {
	attributes, diags := block.Body.JustAttributes()
	l.add(diags...)
	var locals []*hcl.Attribute
	for _, a := range attributes {
		locals = append(locals, a)
	}
	slices.SortFunc(locals, func(a, b *hcl.Attribute) int { return compareRanges(&a.NameRange, &b.NameRange) })
	for _, a := range locals {
		l.addDeclaration(ds, &declaration{address: address{kindLocal, a.Name}, rng: a.NameRange, expr: a.Expr})
	}
}

func (l *loader) addDeclaration(ds *declarations, d *declaration) {
	first, taken := ds.byAddress[d.address]
	switch {
	case !taken:
		ds.byAddress[d.address] = d
		ds.order = append(ds.order, d)
	case d.name == "":
		l.fault(&d.rng, "Duplicate block", "There is already one %s block, at %s. Merge the two.", d.kind, first.rng)
	default:
		l.fault(&d.rng, "Duplicate name", "%s is already declared at %s. Rename one of them.", d.address, first.rng)
	}
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
