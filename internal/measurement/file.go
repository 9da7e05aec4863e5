package measurement

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Encode writes measurements as the file has them: sorted, indented, one line a value.
// The same measurements give the same bytes. What Decode would refuse is not written:
// the error is *Faults then.
func Encode(m *Measurements) ([]byte, error) {
	if err := check(m); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(sorted(m)); err != nil {
		return nil, fmt.Errorf("write %s: %w", FileName, err)
	}
	return out.Bytes(), nil
}

// sorted is a copy in order, whose empty lists are lists.
func sorted(m *Measurements) *Measurements {
	return &Measurements{
		FormatVersion: FormatVersion,
		Nodes:         inOrder(m.Nodes, compareNodes),
		Links:         inOrder(m.Links, compareLinks),
		Profiles:      inOrder(m.Profiles, compareProfiles),
	}
}

func inOrder[T any, P entry[T]](list []T, compare func(a, b T) int) []T {
	out := append(make([]T, 0, len(list)), list...)
	for i := range out {
		*P(&out[i]).when() = stamp(*P(&out[i]).when())
	}
	slices.SortStableFunc(out, compare)
	return out
}

func compareNodes(a, b Node) int { return cmp.Compare(a.Node, b.Node) }

func compareLinks(a, b Link) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

func compareProfiles(a, b Profile) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Digest, b.Digest),
		cmp.Compare(a.Dimensions, b.Dimensions), cmp.Compare(a.Optimization, b.Optimization), cmp.Compare(a.Threads, b.Threads),
		cmp.Compare(a.FirstSegment, b.FirstSegment), cmp.Compare(a.LastSegment, b.LastSegment))
}

// check finds what may not be in the file.
func check(m *Measurements) error {
	var faults Faults
	checkEntries(&faults, "nodes", m.Nodes)
	checkEntries(&faults, "links", m.Links)
	checkEntries(&faults, "profiles", m.Profiles)
	return faults.err()
}

func checkEntries[T any, P entry[T]](faults *Faults, path string, list []T) {
	seen := map[any]bool{}
	for i := range list {
		e := P(&list[i])
		wrong := func(name, problem string) {
			faults.add(func() *Fault {
				return &Fault{File: FileName, Path: join(fmt.Sprintf("%s[%d]", path, i), name), Problem: problem}
			})
		}
		for _, f := range e.fields() {
			if problem := f.problem(); problem != "" {
				wrong(f.name, problem)
			}
		}
		if name, problem := e.contradiction(); problem != "" {
			wrong(name, problem)
		}
		if seen[e.key()] {
			wrong("", "measures the same as an entry before")
		}
		seen[e.key()] = true
	}
}
