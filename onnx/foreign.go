package onnx

import (
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// engineDomains are the operator domains that ONNX Runtime has operators of. Others come
// from libraries of somebody's own.
var engineDomains = []string{
	"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training",
	"com.microsoft", "com.microsoft.experimental", "com.microsoft.nchwc", "com.ms.internal.nhwc", "org.pytorch.aten",
}

// foreign says whether a node, or one inside of it, is of a domain that neither the
// engine nor the model itself defines.
func (m *model) foreign(n *onnxpb.NodeProto) bool {
	seen := map[*onnxpb.FunctionProto]bool{}
	var foreign func(n *onnxpb.NodeProto) bool
	foreign = func(n *onnxpb.NodeProto) bool {
		f := m.functionOf(n)
		switch {
		case f != nil && seen[f]:
			return false
		case f != nil:
			seen[f] = true
			return slices.ContainsFunc(f.Node, foreign)
		case !slices.Contains(engineDomains, n.GetDomain()):
			return true
		}
		return slices.ContainsFunc(bodies(n), func(body *onnxpb.GraphProto) bool { return slices.ContainsFunc(body.Node, foreign) })
	}
	return foreign(n)
}

// madeByForeign are the results of a foreign node as inputs, so that the engine can
// shape what comes after it. It takes the file's word for them.
func (m *model) madeByForeign(n *node) ([]*onnxpb.ValueInfoProto, error) {
	var list []*onnxpb.ValueInfoProto
	for at, i := range n.outputs {
		if i < 0 || len(m.graph.values[i].readers) == 0 && !m.graph.values[i].output {
			continue
		}
		info, ok := m.stated[n.Output[at]]
		if !ok {
			return nil, fmt.Errorf("node %q (%s) is of a domain that the engine does not know, and the file does not state type and shape of %q, which it makes: export the model with value_info for it",
				n.label, n.op(), n.Output[at])
		}
		list = append(list, valueInfo(info))
	}
	return list, nil
}
