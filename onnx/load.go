package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Load reads a model file, checks it, finds all shapes, brings its nodes into one
// order and costs them. Weights stay in their files. Every error names the file.
func Load(ctx context.Context, path string, o Options) (*Chain, error) {
	c, err := load(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func load(ctx context.Context, path string, o Options) (*Chain, error) {
	m, err := readModel(path)
	if err != nil {
		return nil, err
	}
	if err := m.prepare(o); err != nil {
		return nil, err
	}
	digest := ""
	if !o.NoDigest {
		if digest, err = m.digest(ctx); err != nil {
			return nil, err
		}
	}
	return m.chain(path, digest), nil
}

// prepare checks the graph, finds shapes and chooses the order.
func (m *model) prepare(o Options) error {
	if len(m.proto.OpsetImport) == 0 {
		return errors.New("the model imports no operator set (opset_import), so its operators have no meaning: export it again")
	}
	if err := checkDomains(m.proto); err != nil {
		return err
	}
	var err error
	if m.graph, err = newGraph(m.proto.Graph); err != nil {
		return err
	}
	if err := m.checkFunctions(); err != nil {
		return err
	}
	if len(m.graph.segments()) == 0 {
		return errors.New("the graph has no node that its outputs depend on: there is nothing to run")
	}
	if err := bindInputs(m.proto.Graph, o.Dimensions); err != nil {
		return err
	}
	if err := m.findShapes(o.Shapes); err != nil {
		return err
	}
	if err := m.checkEnds(); err != nil {
		return err
	}
	newInsider(o.Shapes).inside(m)
	m.order = m.chooseOrder()
	return nil
}

// checkDomains makes sure that every node's operator set is imported: the engine
// refuses a model where one is not.
func checkDomains(p *onnxpb.ModelProto) error {
	imported := map[string]bool{}
	for _, set := range p.OpsetImport {
		imported[plainDomain(set.GetDomain())] = true
	}
	for i, n := range p.Graph.GetNode() {
		if domain := plainDomain(n.GetDomain()); !imported[domain] {
			return fmt.Errorf("node %d (%s %q) needs the operator set %q, which opset_import does not name: export the model again with it",
				i, n.GetOpType(), n.GetName(), domain)
		}
	}
	return nil
}

// plainDomain is a domain by its short name: "" and "ai.onnx" are one.
func plainDomain(domain string) string {
	if standardDomain(domain) {
		return ""
	}
	return domain
}

// checkEnds makes sure that what goes in and comes out are tensors.
func (m *model) checkEnds() error {
	for _, i := range slices.Concat(m.graph.inputs, m.graph.outputs) {
		if info := m.infos[i]; info.Type == tensor.Undefined {
			return fmt.Errorf("%q is an input or output of the model and no tensor (a sequence, a map or an optional): a pipeline carries tensors only", info.Name)
		}
	}
	return nil
}

// chain describes the ordered model.
func (m *model) chain(path, digest string) *Chain {
	c := &Chain{Path: path, Digest: digest, Cuts: m.cuts(), ParameterBytes: m.parameterBytes(), model: m}
	c.Inputs, c.Outputs = m.describe(m.graph.inputs), m.describe(m.graph.outputs)
	for s, at := range m.order {
		segment := m.segment(at, c.Cuts[s].Bytes)
		c.Segments = append(c.Segments, segment)
		c.FLOPs = addCapped(c.FLOPs, segment.FLOPs)
	}
	return c
}

func (m *model) describe(values []int) []tensor.Info {
	list := make([]tensor.Info, 0, len(values))
	for _, i := range values {
		list = append(list, m.infos[i])
	}
	return list
}
