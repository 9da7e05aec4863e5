package onnx

import (
	"context"
	"errors"
	"fmt"

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
	var err error
	if m.graph, err = newGraph(m.proto.Graph); err != nil {
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
	m.order = m.chooseOrder()
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
