package statefile

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/edgeplan/edgeplan/internal/version"
)

// New is a state with nothing deployed, of a new random lineage. Its serial is
// 0 until it is first recorded.
func New() *State {
	return &State{
		FormatVersion:   FormatVersion,
		EdgeplanVersion: version.Version,
		Lineage:         newUUID(),
		Nodes:           map[string]Node{},
		Models:          map[string]Model{},
		Outputs:         map[string]json.RawMessage{},
	}
}

// newUUID is a random UUID, version 4 of RFC 9562. Reading crypto/rand never fails.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// EncodeState gives the bytes of a state file: the same state always gives the
// same bytes. It fails on what JSON cannot hold, as an infinite prediction or a
// tensor without a type.
func EncodeState(s *State) ([]byte, error) {
	state, err := normal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the state: %w", err)
	}
	return encodeJSON(state)
}

// encodeJSON writes indented JSON as people read it in a diff: `<` stays `<`.
func encodeJSON(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode the state: %w", err)
	}
	return out.Bytes(), nil
}
