package config

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Backend is the `backend` block of `edgeplan`: where the state is kept. Its
// arguments may call functions and refer to nothing, so that a command that
// needs only the state reads it without the rest of the configuration.
type Backend struct {
	Type       string             // the block's label, as "s3"
	Attributes []BackendAttribute // as written
	Range      hcl.Range          // the block's header
	TypeRange  hcl.Range          // its label
}

// BackendAttribute is one argument of a backend, known as a whole and without
// marks; null where null was written.
type BackendAttribute struct {
	Name      string
	Value     cty.Value
	NameRange hcl.Range
	Range     hcl.Range // of the value
}

// Attribute finds an argument by name.
func (b *Backend) Attribute(name string) (BackendAttribute, bool) {
	for _, a := range b.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return BackendAttribute{}, false
}

const onlyInRoot = "Not allowed in a module"

const backendType = "backend"

func backendBlock() hcl.BlockHeaderSchema {
	return hcl.BlockHeaderSchema{Type: backendType, LabelNames: []string{"type"}}
}

// LoadBackend reads no more of the folder dir than where its state is kept: nil
// where it does not say. Faults in other blocks are left to Load. The files are
// for printing the diagnostics.
func LoadBackend(dir string) (*Backend, map[string]*hcl.File, hcl.Diagnostics) {
	l := newLoader(dir)
	names, err := configurationFiles(dir)
	if err != nil {
		l.noFiles(newModule(nil, nil, dir), err)
		return nil, l.config.Sources, l.finish()
	}
	bodies, ok := l.parseAll(dir, names)
	if !ok {
		return nil, l.config.Sources, l.finish()
	}
	var blocks hcl.Blocks
	for _, body := range bodies {
		// What else stands in the folder, and is wrong there, is not this function's concern.
		root, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: kindSettings}}})
		for _, settings := range root.Blocks {
			content, _, diags := settings.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{backendBlock()}})
			l.add(diags...)
			blocks = append(blocks, content.Blocks...)
		}
	}
	return l.backend(blocks), l.config.Sources, l.finish()
}

// declareBackend keeps the backend of the root; only there the state is.
func (l *loader) declareBackend(m *module, blocks hcl.Blocks) {
	if m.parent == nil {
		l.config.Settings.Backend = l.backend(blocks)
		return
	}
	for _, block := range blocks {
		l.fault(&block.DefRange, onlyInRoot, "A module cannot say where the state is kept. Move the backend block to the configuration that uses the module.")
	}
}

// backend reads the one backend among the blocks of `edgeplan`.
func (l *loader) backend(blocks hcl.Blocks) *Backend {
	var found *Backend
	for _, block := range blocks {
		switch {
		case block.Type != backendType:
		case found != nil:
			l.fault(&block.DefRange, "Duplicate block", "The state is kept in one place, and a backend block stands at %s already. Remove one of them.", found.Range)
		default:
			found = l.readBackend(block)
		}
	}
	return found
}

func (l *loader) readBackend(block *hcl.Block) *Backend {
	b := &Backend{Type: block.Labels[0], Range: block.DefRange, TypeRange: block.LabelRanges[0]}
	attributes, diags := block.Body.JustAttributes()
	l.add(diags...)
	ctx := &hcl.EvalContext{Functions: functions(l.config.Dir)}
	for _, attr := range attributes {
		if value, ok := l.backendValue(attr, ctx); ok {
			b.Attributes = append(b.Attributes, BackendAttribute{attr.Name, value, attr.NameRange, attr.Expr.Range()})
		}
	}
	slices.SortFunc(b.Attributes, func(a, b BackendAttribute) int {
		return cmp.Or(compareRanges(&a.NameRange, &b.NameRange), cmp.Compare(a.Name, b.Name))
	})
	return b
}

func (l *loader) backendValue(attr *hcl.Attribute, ctx *hcl.EvalContext) (cty.Value, bool) {
	at := attr.Expr.Range()
	if refs := attr.Expr.Variables(); len(refs) > 0 {
		at = refs[0].SourceRange()
		l.fault(&at, "Reference in a backend",
			"The state is read before anything else of the configuration, so %s must be written out here. Write the value itself; a secret is better left out, and given in the environment.", attr.Name)
		return cty.NilVal, false
	}
	value, diags := attr.Expr.Value(ctx)
	l.add(diags...)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	value, _ = value.UnmarkDeep()
	if !value.IsWhollyKnown() {
		l.fault(&at, invalidValue, "%s is not known before a plan. Write the value itself.", attr.Name)
		return cty.NilVal, false
	}
	return value, true
}
