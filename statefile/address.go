package statefile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Addresses name everything in a state: nodes in order, and each model with its
// slices in order of the pipeline.
func Addresses(s *State) []string {
	list := sortedKeys(s.Nodes)
	for _, name := range sortedKeys(s.Models) {
		list = append(list, modelAddress(name))
		for i := range s.Models[name].Slices {
			list = append(list, sliceAddress(name, i))
		}
	}
	return list
}

func modelAddress(name string) string        { return "model." + name }
func sliceAddress(name string, i int) string { return fmt.Sprintf("slice.%s[%d]", name, i) }

// Find gives what an address names: a Node, a Model or a Slice; nil when nothing
// in the state has the address.
func Find(s *State, address string) any {
	if node, ok := s.Nodes[address]; ok {
		return node
	}
	if name, ok := strings.CutPrefix(address, "model."); ok {
		if model, ok := s.Models[name]; ok {
			return model
		}
	}
	name, index, ok := cutSlice(address)
	if model, known := s.Models[name]; ok && known && index < len(model.Slices) {
		return model.Slices[index]
	}
	return nil
}

// cutSlice takes slice.NAME[INDEX] apart.
func cutSlice(address string) (name string, index int, ok bool) {
	rest, isSlice := strings.CutPrefix(address, "slice.")
	name, number, found := strings.Cut(strings.TrimSuffix(rest, "]"), "[")
	index, err := strconv.Atoi(number)
	return name, index, isSlice && found && err == nil && index >= 0 && sliceAddress(name, index) == address
}

// Why addresses cannot be removed or moved.
var (
	// ErrPart: it belongs to something that is kept.
	ErrPart = errors.New("it is part of something else")
	// ErrTaken: the new address is in use.
	ErrTaken = errors.New("the address is taken")
)

// Remove forgets nodes and models: what is on the devices stays there. All
// addresses must be in the state. On an error s is as it was.
func Remove(s *State, addresses []string) error {
	next := Clone(s)
	for _, address := range addresses {
		if name, _, ok := cutSlice(address); ok && !slices.Contains(addresses, modelAddress(name)) {
			return fmt.Errorf("%s: %w: a slice is forgotten with its whole model; remove %s", address, ErrPart, modelAddress(name))
		}
		delete(next.Nodes, address)
		delete(next.Models, strings.TrimPrefix(address, "model."))
		delete(next.Earlier, strings.TrimPrefix(address, "model."))
	}
	next.forgetEarlierOn(addresses)
	for _, name := range sortedKeys(next.Models) {
		for _, node := range nodesOf(next.Models[name]) {
			if _, known := next.Nodes[node]; !known && slices.Contains(addresses, node) {
				return fmt.Errorf("%s: %w: %s runs on it; remove that too", node, ErrPart, modelAddress(name))
			}
		}
	}
	*s = *next
	return nil
}

// forgetEarlierOn drops earlier releases that have a part on one of some nodes.
func (s *State) forgetEarlierOn(nodes []string) {
	for name, releases := range s.Earlier {
		s.Earlier[name] = slices.DeleteFunc(releases, func(m Model) bool {
			return slices.ContainsFunc(nodesOf(m), func(node string) bool { return slices.Contains(nodes, node) })
		})
		if len(s.Earlier[name]) == 0 {
			delete(s.Earlier, name)
		}
	}
}

// nodesOf are the addresses of all nodes that carry a part of a model, in order.
func nodesOf(m Model) []string {
	nodes := []string{m.Gateway}
	for _, slice := range m.Slices {
		nodes = append(nodes, slice.Node)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// MoveNode gives a node another address, here and in all models that run on it.
func MoveNode(s *State, from, to string) error {
	if _, taken := s.Nodes[to]; taken {
		return fmt.Errorf("%s: %w: another device has it", to, ErrTaken)
	}
	s.Nodes[to] = s.Nodes[from]
	delete(s.Nodes, from)
	for name, model := range s.Models {
		s.Models[name] = model.renamed(from, to)
	}
	for _, releases := range s.Earlier {
		for i := range releases {
			releases[i] = releases[i].renamed(from, to)
		}
	}
	return nil
}

// renamed gives a node of a model another address.
func (m Model) renamed(from, to string) Model {
	rename := func(node *string) {
		if *node == from {
			*node = to
		}
	}
	rename(&m.Gateway)
	rename(&m.Prediction.Bottleneck)
	for i := range m.Slices {
		rename(&m.Slices[i].Node)
	}
	if programs, ok := m.Programs[from]; ok {
		m.Programs[to] = programs
		delete(m.Programs, from)
	}
	return m
}
