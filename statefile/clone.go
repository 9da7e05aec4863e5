package statefile

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Clone copies a state so that nothing is shared with the original. The clone
// of nil is nil.
func Clone(s *State) *State {
	if s == nil {
		return nil
	}
	c := *s
	c.Nodes = maps.Clone(s.Nodes)
	c.Models = maps.Clone(s.Models)
	for name, model := range c.Models {
		c.Models[name] = cloneModel(model)
	}
	c.Earlier = maps.Clone(s.Earlier)
	for name, releases := range c.Earlier {
		c.Earlier[name] = slices.Clone(releases)
		for i, model := range releases {
			c.Earlier[name][i] = cloneModel(model)
		}
	}
	c.Outputs = maps.Clone(s.Outputs)
	for name, value := range c.Outputs {
		c.Outputs[name] = json.RawMessage(slices.Clone([]byte(value)))
	}
	return &c
}

func cloneModel(m Model) Model {
	if m.Access != nil {
		access := *m.Access
		m.Access = &access
	}
	m.Inputs = cloneInfos(m.Inputs)
	m.Outputs = cloneInfos(m.Outputs)
	m.Slices = slices.Clone(m.Slices)
	for i := range m.Slices {
		m.Slices[i].Inputs = cloneInfos(m.Slices[i].Inputs)
		m.Slices[i].Outputs = cloneInfos(m.Slices[i].Outputs)
		m.Slices[i].Weights = slices.Clone(m.Slices[i].Weights)
	}
	m.Programs = maps.Clone(m.Programs)
	for node, blobs := range m.Programs {
		m.Programs[node] = slices.Clone(blobs)
	}
	return m
}

func cloneInfos(infos []tensor.Info) []tensor.Info {
	infos = slices.Clone(infos)
	for i := range infos {
		infos[i].Shape = slices.Clone(infos[i].Shape)
	}
	return infos
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
