package statefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// checkContent refuses what no run has recorded, and what would send one to a place
// that is not there.
func checkContent(s *State) error {
	for _, name := range sortedKeys(s.Nodes) {
		node := s.Nodes[name]
		if err := checkPorts(name, node.SSH.Port, node.PipelinePort); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(s.Models) {
		if err := checkModel(s, name); err != nil {
			return err
		}
	}
	return nil
}

func checkModel(s *State, name string) error {
	model := s.Models[name]
	if err := checkPorts(modelAddress(name), model.GatewayPort); err != nil {
		return err
	}
	for i, slice := range model.Slices {
		if err := checkPorts(sliceAddress(name, i), slice.Port); err != nil {
			return err
		}
	}
	for _, node := range nodesOf(model) {
		if _, known := s.Nodes[node]; !known {
			return fmt.Errorf("%w: %s runs on %s, which is not among its nodes", ErrCorrupt, modelAddress(name), node)
		}
	}
	return nil
}

// checkPorts takes 0 for one that is not given.
func checkPorts(address string, ports ...int) error {
	for _, port := range ports {
		if port < 0 || port > 65535 {
			return fmt.Errorf("%w: %s has the port %d, and ports go up to 65535", ErrCorrupt, address, port)
		}
	}
	return nil
}

// checkKeys refuses an object that has a key twice, which encoding/json would read as
// the last of them, and other readers as the first. It takes a field in another case for
// the same one; here each is written in one way. The text is one JSON value.
func checkKeys(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var open []object                // and arrays, around
	next := reflect.TypeFor[State]() // what the next value is decoded into
	key := false                     // a key comes next, or the end of the object
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return describe(err, len(data))
		}
		switch text, isText := token.(string); {
		case token == json.Delim('{'):
			open = append(open, object{map[string]bool{}, next})
		case token == json.Delim('['):
			open = append(open, object{nil, next})
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:len(open)-1]
		case key && isText:
			if next, err = open[len(open)-1].take(text); err != nil {
				return &positionError{offset: max(int(decoder.InputOffset())-1, 0), err: err}
			}
			key = false
			continue
		}
		key = len(open) > 0 && open[len(open)-1].keys != nil
		if len(open) > 0 && !key {
			next = open[len(open)-1].elements()
		}
	}
}

// object is an object or an array that is being read.
type object struct {
	keys map[string]bool // so far; nil for an array
	into reflect.Type    // that it is decoded into; nil where it is kept as it stands
}

// take notes a key, and gives what its value is decoded into.
func (o object) take(key string) (reflect.Type, error) {
	if o.keys[key] {
		return nil, fmt.Errorf("%w: %q stands twice in one object", ErrCorrupt, key)
	}
	o.keys[key] = true
	into := pointedTo(o.into)
	if into == nil || into.Kind() != reflect.Struct {
		return o.elements(), nil
	}
	similar := ""
	for field := range into.Fields() {
		switch name, _, _ := strings.Cut(field.Tag.Get("json"), ","); {
		case name == key:
			return field.Type, nil
		case strings.EqualFold(name, key):
			similar = name
		}
	}
	return nil, fmt.Errorf("%w: unknown field %q: it is written %q", ErrCorrupt, key, similar)
}

// elements are what the values of a map, or an array, are decoded into.
func (o object) elements() reflect.Type {
	into := pointedTo(o.into)
	if into == nil || into == reflect.TypeFor[json.RawMessage]() || into.Kind() != reflect.Map && into.Kind() != reflect.Slice {
		return nil
	}
	return into.Elem()
}

func pointedTo(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
