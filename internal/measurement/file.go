package measurement

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Encode writes measurements as the file has them: sorted, indented, one line a value.
// The same measurements give the same bytes.
func Encode(m *Measurements) ([]byte, error) {
	sorted := Measurements{
		FormatVersion: FormatVersion,
		Nodes:         slices.SortedStableFunc(slices.Values(m.Nodes), compareNodes),
		Links:         slices.SortedStableFunc(slices.Values(m.Links), compareLinks),
		Profiles:      slices.SortedStableFunc(slices.Values(m.Profiles), compareProfiles),
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(sorted); err != nil {
		return nil, fmt.Errorf("write %s: %w", FileName, err)
	}
	return out.Bytes(), nil
}

func compareNodes(a, b Node) int { return cmp.Compare(a.Node, b.Node) }

func compareLinks(a, b Link) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

func compareProfiles(a, b Profile) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Digest, b.Digest),
		cmp.Compare(a.Optimization, b.Optimization), cmp.Compare(a.Threads, b.Threads),
		cmp.Compare(a.FirstSegment, b.FirstSegment), cmp.Compare(a.LastSegment, b.LastSegment))
}
