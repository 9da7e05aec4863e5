package plan

import (
	"maps"
	"slices"
)

// sortedKeys are the keys of a map in order, so that nothing printed or
// hashed depends on the order of a map.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
