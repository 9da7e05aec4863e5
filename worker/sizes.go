package worker

import (
	"cmp"
	"maps"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// receives are the tensors of all messages that neighbours may send.
func (m Manifest) receives() []tensor.Info {
	var infos []tensor.Info
	if m.Stage != nil {
		infos = append(infos, m.Stage.Inputs...)
	}
	if m.Gateway != nil {
		infos = append(infos, m.Gateway.Outputs...)
	}
	return infos
}

// sends are the tensors of all messages to neighbours.
func (m Manifest) sends() []tensor.Info {
	var infos []tensor.Info
	if m.Stage != nil {
		infos = append(infos, m.Stage.Outputs...)
	}
	if m.Gateway != nil {
		infos = append(infos, m.Gateway.Inputs...)
	}
	return infos
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
