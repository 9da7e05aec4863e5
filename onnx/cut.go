package onnx

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// cuts describes all positions of the order.
func (m *model) cuts() []Cut {
	cuts := make([]Cut, len(m.order)+1)
	for b := range cuts {
		cuts[b] = Cut{Position: b, Tensors: []tensor.Info{}}
	}
	for _, span := range m.lifetimes(m.order) {
		info := m.infos[span.value]
		reason := m.uncuttable(span.value)
		for b := span.start + 1; b <= span.end; b++ {
			c := &cuts[b]
			c.Tensors = append(c.Tensors, info)
			c.Bytes = addCapped(c.Bytes, m.size(span.value))
			if c.Uncuttable == "" {
				c.Uncuttable = reason
			}
		}
	}
	for _, g := range m.fusions() {
		for b := g.first + 1; b <= g.last; b++ {
			cuts[b].SplitsFusion = true
		}
	}
	return cuts
}

// uncuttable says why a value cannot travel between devices, "" when it can.
func (m *model) uncuttable(i int) string {
	info := m.infos[i]
	switch {
	case info.Type == tensor.Undefined:
		return fmt.Sprintf("%q is not a tensor, or its type is not known", info.Name)
	case info.Type == tensor.String:
		return fmt.Sprintf("%q holds strings, whose size depends on the input", info.Name)
	case info.Type.Bits() == 0:
		return fmt.Sprintf("%q has elements of %s, which are not supported", info.Name, info.Type)
	case m.unranked[i]:
		return fmt.Sprintf("the shape of %q depends on the input", info.Name)
	case !known(info):
		return fmt.Sprintf("the size of %q depends on the input: its shape is %v", info.Name, info.Shape)
	}
	return ""
}
