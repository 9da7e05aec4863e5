package onnx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// model is a model file without the elements of its large tensors.
type model struct {
	file     *source
	external map[string]*source // files of external data, by location
	proto    *onnxpb.ModelProto
	payloads map[*onnxpb.TensorProto]*payload

	functions map[functionKey]*onnxpb.FunctionProto // of the model itself, once one is looked for

	graph    *graph
	stated   map[string]tensor.Info // what the file says of tensors
	infos    []tensor.Info          // by value, once known
	unranked []bool                 // by value: not even the number of dimensions is known
	inside   map[int]float64        // FLOPs of the graphs or the function inside of a node, where they are known
	order    []int                  // nodes, by segment
}

// readModel reads a file as far as its weights, and finds where those are.
func readModel(path string) (*model, error) {
	file, err := modelSource(path)
	if err != nil {
		return nil, err
	}
	in, err := file.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if err := detect(in, file.size); err != nil {
		return nil, err
	}
	skeleton, err := readSkeleton(file, in)
	if err != nil {
		return nil, err
	}
	m := &model{
		file: file, external: map[string]*source{},
		proto: &onnxpb.ModelProto{}, payloads: map[*onnxpb.TensorProto]*payload{},
	}
	if err := proto.Unmarshal(skeleton.bytes, m.proto); err != nil {
		return nil, fmt.Errorf("not an ONNX model, or a damaged one: %w", err)
	}
	if m.proto.Graph == nil {
		return nil, errors.New("no graph in it: not an ONNX model, or an empty one")
	}
	if err := m.attach(skeleton); err != nil {
		return nil, err
	}
	m.liftConstants()
	return m, nil
}

// attach finds the elements of every tensor that has them outside of its message.
// Those that are not weights of a graph are put back into their message.
func (m *model) attach(s *skeleton) error {
	return visitTensors(m.proto.Graph, func(t *onnxpb.TensorProto, weight bool) error {
		p, err := m.payloadOf(t, s)
		if err != nil || p == nil {
			return err
		}
		if err := p.check(t); err != nil {
			return err
		}
		if !weight {
			return restore(t, p)
		}
		m.payloads[t] = p
		return nil
	})
}

// payloadOf is nil for a tensor with its elements inside.
func (m *model) payloadOf(t *onnxpb.TensorProto, s *skeleton) (*payload, error) {
	unknown := t.ProtoReflect().GetUnknown()
	for len(unknown) > 0 {
		number, kind, n := protowire.ConsumeTag(unknown)
		size := protowire.ConsumeFieldValue(number, kind, unknown[max(n, 0):])
		if n < 0 || size < 0 {
			break
		}
		if number == payloadMarker && kind == protowire.VarintType {
			index, _ := protowire.ConsumeVarint(unknown[n:])
			t.ProtoReflect().SetUnknown(nil)
			if index >= uint64(len(s.payloads)) {
				return nil, fmt.Errorf("tensor %q has an unknown field %d", t.GetName(), number)
			}
			return s.payloads[index], nil
		}
		unknown = unknown[n+size:]
	}
	if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		return m.externalPayload(t)
	}
	return nil, nil
}

// restore puts elements into their message.
func restore(t *onnxpb.TensorProto, p *payload) error {
	data, err := p.read()
	if err != nil {
		return err
	}
	t.RawData, t.DataLocation, t.ExternalData = data, nil, nil
	return nil
}

// visitTensors calls f for every tensor of a graph and the graphs inside it, with
// whether it is a weight: an initializer, or the value of a Constant node.
func visitTensors(g *onnxpb.GraphProto, f func(t *onnxpb.TensorProto, weight bool) error) error {
	for _, t := range g.GetInitializer() {
		if err := f(t, true); err != nil {
			return err
		}
	}
	for _, node := range g.GetNode() {
		for _, a := range node.GetAttribute() {
			if a.T != nil {
				if err := f(a.T, isConstant(node) && a.GetName() == "value"); err != nil {
					return err
				}
			}
			for _, t := range a.Tensors {
				if err := f(t, false); err != nil {
					return err
				}
			}
		}
		for _, body := range bodies(node) {
			if err := visitTensors(body, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// bodies are the graphs in a node's attributes: branches of If, bodies of Loop and Scan.
func bodies(node *onnxpb.NodeProto) []*onnxpb.GraphProto {
	var list []*onnxpb.GraphProto
	for _, a := range node.GetAttribute() {
		if a.G != nil {
			list = append(list, a.G)
		}
		list = append(list, a.Graphs...)
	}
	return list
}

func isConstant(node *onnxpb.NodeProto) bool {
	return node.GetOpType() == "Constant" && standardDomain(node.GetDomain())
}

func standardDomain(domain string) bool { return domain == "" || domain == "ai.onnx" }

// liftConstants turns Constant nodes that hold a tensor into initializers, as the
// engine does, so that their elements can be external data: all of them in the
// graph, and in the graphs inside it those that are large.
func (m *model) liftConstants() {
	m.lift(m.proto.Graph, true)
}

func (m *model) lift(g *onnxpb.GraphProto, all bool) {
	kept := g.Node[:0:0]
	for _, node := range g.GetNode() {
		if t := constantValue(node); t != nil && (all || m.payloads[t] != nil) {
			t.Name = proto.String(node.Output[0])
			g.Initializer = append(g.Initializer, t)
			continue
		}
		kept = append(kept, node)
		for _, body := range bodies(node) {
			m.lift(body, false)
		}
	}
	g.Node = kept
}

// constantValue is the tensor of a Constant node, or nil.
func constantValue(node *onnxpb.NodeProto) *onnxpb.TensorProto {
	if !isConstant(node) || len(node.Output) != 1 || len(node.Attribute) != 1 || node.Attribute[0].GetName() != "value" {
		return nil
	}
	return node.Attribute[0].T
}

// digest is the sha256 of the model file, or of the digests of the model file and
// its files of external data, in order of location.
func (m *model) digest(ctx context.Context) (string, error) {
	sum, err := m.file.digest(ctx)
	if err != nil || len(m.external) == 0 {
		return sum, err
	}
	lines := sum + "\n"
	for _, location := range sortedKeys(m.external) {
		sum, err := m.external[location].digest(ctx)
		if err != nil {
			return "", err
		}
		lines += sum + "  " + location + "\n"
	}
	return digestOf(ctx, strings.NewReader(lines))
}
