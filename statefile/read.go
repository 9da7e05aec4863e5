package statefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// header is what is read first: it decides whether the rest can be understood.
type header struct {
	FormatVersion   *json.Number `json:"format_version"`
	EdgeplanVersion string       `json:"edgeplan_version"`
}

// Parse reads the content of a state file. The name stands in errors, which
// are of type *ReadError.
func Parse(name string, data []byte) (*State, error) {
	state, err := parse(data)
	if err != nil {
		problem := &ReadError{Path: name, Err: err}
		problem.locate(data)
		return nil, problem
	}
	return state, nil
}

func parse(data []byte) (*State, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%w: it holds %d bytes and no JSON", ErrEmpty, len(data))
	}
	if offset := conflictMarker(data); offset >= 0 {
		return nil, &positionError{offset: offset, err: fmt.Errorf(
			"%w: states of two runs cannot be merged line by line", ErrConflict)}
	}
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	return decode(data)
}

// conflictMarker finds a line that version control leaves in a file it could
// not merge, or -1. JSON as it is written here has no such line.
func conflictMarker(data []byte) int {
	for offset := 0; offset < len(data); {
		line := data[offset:]
		end := bytes.IndexByte(line, '\n')
		if end < 0 {
			end = len(line)
		}
		for _, marker := range []string{"<<<<<<< ", "=======", ">>>>>>> "} {
			if bytes.HasPrefix(line[:end], []byte(marker)) {
				return offset
			}
		}
		offset += end + 1
	}
	return -1
}

func checkHeader(data []byte) error {
	var head header
	if err := json.Unmarshal(data, &head); err != nil {
		return describe(err, len(data))
	}
	if head.FormatVersion == nil {
		return fmt.Errorf("%w: it has no format_version", ErrNotState)
	}
	version, err := head.FormatVersion.Int64()
	if err != nil || version < 1 {
		return fmt.Errorf("%w: its format_version is %s, and the first was 1", ErrNotState, *head.FormatVersion)
	}
	if version > FormatVersion {
		return fmt.Errorf("%w: edgeplan %s wrote it in format %d, and this edgeplan reads formats up to %d",
			ErrNewerFormat, orUnknown(head.EdgeplanVersion), version, FormatVersion)
	}
	return nil
}

func orUnknown(version string) string {
	if version == "" {
		return "of an unknown version"
	}
	return version
}

// decode reads the whole of what checkHeader found to be one JSON value. Fields
// it does not know are refused: they would be lost with the next write.
func decode(data []byte) (*State, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	state := &State{}
	if err := decoder.Decode(state); err != nil {
		return nil, describe(err, len(data))
	}
	if err := checkKeys(data); err != nil {
		return nil, err
	}
	if err := checkLineage(state.Lineage); err != nil {
		return nil, err
	}
	if state.Serial == 0 {
		return nil, fmt.Errorf("%w: it has no serial, and every written state has one from 1 up", ErrCorrupt)
	}
	if state.Serial > maxSerial {
		return nil, fmt.Errorf("%w: its serial is %d, and there is none after %d", ErrCorrupt, state.Serial, uint64(maxSerial))
	}
	if err := checkContent(state); err != nil {
		return nil, err
	}
	return normal(state)
}

// maxSerial is the last serial that is read, far below where the next one would be 0.
// Every reader of JSON holds it exactly.
const maxSerial = 1<<53 - 1

// describe turns an error of the JSON decoder into what is wrong with the file.
func describe(err error, size int) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && int(syntax.Offset) >= size, errors.Is(err, io.ErrUnexpectedEOF):
		return &positionError{offset: size, err: fmt.Errorf(
			"%w: it was cut off, the JSON ends too early at byte %d", ErrCorrupt, size)}
	case errors.As(err, &syntax):
		return &positionError{offset: max(int(syntax.Offset)-1, 0), err: fmt.Errorf(
			"%w: it is no JSON from byte %d: %w", ErrCorrupt, syntax.Offset, err)}
	case errors.As(err, &kind):
		return &positionError{offset: max(int(kind.Offset)-1, 0), err: fmt.Errorf(
			"%w: %s cannot be a JSON %s", ErrCorrupt, orWhole(kind.Field), kind.Value)}
	}
	return fmt.Errorf("%w: %s", ErrCorrupt, strings.TrimPrefix(err.Error(), "json: "))
}

func orWhole(field string) string {
	if field == "" {
		return "the state"
	}
	return field
}

// checkLineage holds what the rest of the program builds on: names of folders
// on devices contain the first eight characters of a lineage.
func checkLineage(lineage string) error {
	if lineage == "" {
		return fmt.Errorf("%w: nothing says which deployment it belongs to", ErrNoLineage)
	}
	if !isLineage(lineage) {
		return fmt.Errorf("%w: %q is not 8 to 64 letters, digits and dashes", ErrNoLineage, lineage)
	}
	return nil
}

// isLineage accepts more than the UUIDs that New makes, and nothing that means
// something in a path.
func isLineage(lineage string) bool {
	for _, r := range lineage {
		if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return len(lineage) >= 8 && len(lineage) <= 64
}

// normal gives a state the form that is compared and written: maps that can be
// added to, and outputs without white space.
func normal(state *State) (*State, error) {
	state = Clone(state)
	for name, value := range state.Outputs {
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return nil, fmt.Errorf("output %q is no JSON: %w", name, err)
		}
		state.Outputs[name] = compact.Bytes()
	}
	if state.Nodes == nil {
		state.Nodes = map[string]Node{}
	}
	if state.Models == nil {
		state.Models = map[string]Model{}
	}
	if state.Outputs == nil {
		state.Outputs = map[string]json.RawMessage{}
	}
	return state, nil
}
