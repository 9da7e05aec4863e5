package ort

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// ErrClosed is what Run gives after Close.
var ErrClosed = errors.New("the session is closed")

// Run computes the named outputs, or all of them when none is named, and gives
// them in that order with bytes of their own. Inputs are found by their name, in
// any order; they are checked before the engine sees them, and not copied.
func (s *Session) Run(inputs []tensor.Tensor, outputs []string) ([]tensor.Tensor, error) {
	ordered, err := s.order(inputs)
	if err != nil {
		return nil, err
	}
	names, err := s.results(outputs)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, nil
	}
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if s.handle == 0 {
		return nil, fmt.Errorf("run the model: %w", ErrClosed)
	}
	return s.run(ordered, names)
}

// order brings inputs into the session's order.
func (s *Session) order(inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	ordered := make([]tensor.Tensor, len(s.inputs))
	found := make([]bool, len(s.inputs))
	for _, t := range inputs {
		at := find(s.inputs, t.Name)
		if at < 0 {
			return nil, fmt.Errorf("the model has no input %q: it takes %s", t.Name, names(s.inputs))
		}
		if found[at] {
			return nil, fmt.Errorf("input %q is given twice", t.Name)
		}
		if err := s.inputs[at].accepts(t); err != nil {
			return nil, err
		}
		ordered[at], found[at] = t, true
	}
	if at := slices.Index(found, false); at >= 0 {
		return nil, fmt.Errorf("input %q is missing: the model takes %s", s.inputs[at].info.Name, names(s.inputs))
	}
	return ordered, nil
}

// accepts says why a tensor is no value for an input.
func (p port) accepts(t tensor.Tensor) error {
	if p.kind != kindTensor {
		return fmt.Errorf("input %q is %s, which cannot be given: only tensors can", p.info.Name, p.kind)
	}
	if t.Type != p.info.Type {
		return fmt.Errorf("input %q has elements of %s, but the model takes %s", t.Name, t.Type, p.info.Type)
	}
	if p.ranked && !fits(t.Shape, p.info.Shape) {
		return fmt.Errorf("input %q has the shape %v, but the model takes %v (-1 stands for any size)", t.Name, t.Shape, p.info.Shape)
	}
	if err := t.Check(); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	return nil
}

func fits(shape, declared []int64) bool {
	return slices.EqualFunc(shape, declared, func(a, b int64) bool { return a == b || b == tensor.Unknown })
}

// results are the names of the outputs to compute.
func (s *Session) results(wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		for _, p := range s.outputs {
			wanted = append(wanted, p.info.Name)
		}
	}
	for i, name := range wanted {
		at := find(s.outputs, name)
		if at < 0 {
			return nil, fmt.Errorf("the model has no output %q: it gives %s", name, names(s.outputs))
		}
		if p := s.outputs[at]; p.kind != kindTensor {
			return nil, fmt.Errorf("output %q is %s, which cannot be read: only tensors can", name, p.kind)
		}
		if slices.Contains(wanted[:i], name) {
			return nil, fmt.Errorf("output %q is asked for twice", name)
		}
	}
	return wanted, nil
}

func find(ports []port, name string) int {
	return slices.IndexFunc(ports, func(p port) bool { return p.info.Name == name })
}

func names(ports []port) string {
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = p.info.Name
	}
	return fmt.Sprintf("%q", list)
}

// run calls the engine with inputs in the session's order.
func (s *Session) run(inputs []tensor.Tensor, outputs []string) ([]tensor.Tensor, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	inputNames := make([]string, len(inputs))
	given := make([]handle, len(inputs))
	defer func() { s.engine.releaseValues(given) }()
	for i, t := range inputs {
		inputNames[i] = t.Name
		value, err := s.engine.newValue(&pinner, t)
		if err != nil {
			return nil, fmt.Errorf("hand over input %q: %w", t.Name, err)
		}
		given[i] = value
	}
	made := make([]handle, len(outputs))
	defer func() { s.engine.releaseValues(made) }()
	err := s.engine.check(s.engine.api.Run(s.handle, 0,
		first(cStrings(&pinner, inputNames)), first(given), uintptr(len(given)),
		first(cStrings(&pinner, outputs)), uintptr(len(outputs)), first(made)))
	if err != nil {
		return nil, fmt.Errorf("run the model: %w", err)
	}
	results := make([]tensor.Tensor, len(made))
	for i, value := range made {
		if results[i], err = s.engine.readValue(value, outputs[i], s.take); err != nil {
			return nil, fmt.Errorf("read output %q: %w", outputs[i], err)
		}
	}
	return results, nil
}

// first is the address of a slice's elements, or nil where it has none.
func first[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// cStrings are texts with the zero byte that C ends on, pinned where they are.
func cStrings(pinner *runtime.Pinner, texts []string) []*byte {
	list := make([]*byte, len(texts))
	for i, text := range texts {
		list[i] = &append([]byte(text), 0)[0]
		pinner.Pin(list[i])
	}
	return list
}
