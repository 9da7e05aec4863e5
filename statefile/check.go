package statefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
// the last of them, and other readers as the first. The text is one JSON value.
func checkKeys(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var open []map[string]bool // of the objects and arrays around; nil for an array
	key := false               // a key comes next, or the end of the object
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return describe(err, len(data))
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch text, isText := token.(string); {
		case token == json.Delim('{'):
			open = append(open, map[string]bool{})
		case token == json.Delim('['):
			open = append(open, nil)
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:len(open)-1]
		case key && inObject && isText:
			if open[len(open)-1][text] {
				return &positionError{offset: max(int(decoder.InputOffset())-1, 0), err: fmt.Errorf("%w: %q stands twice in one object", ErrCorrupt, text)}
			}
			open[len(open)-1][text] = true
			key = false
			continue
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}
