package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// version is major, minor and patch. A pre-release counts as the version it
// leads to, so that a development build may use the configuration it is for.
type version [3]uint64

// constraints must all hold.
type constraints []constraint

type constraint struct {
	operator string
	version  version
	parts    int // how many of the three were written
}

var (
	versionPattern    = regexp.MustCompile(`^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-+][0-9A-Za-z.+-]*)?$`)
	constraintPattern = regexp.MustCompile(`^(=|!=|>=|<=|>|<|~>)?\s*([0-9][0-9.]*)$`)
)

// parseVersion is false for what is no version, such as the name of a build.
func parseVersion(text string) (version, bool) {
	v, _, ok := splitVersion(text)
	return v, ok
}

func splitVersion(text string) (v version, parts int, ok bool) {
	match := versionPattern.FindStringSubmatch(text)
	if match == nil {
		return v, 0, false
	}
	for i, digits := range match[1:] {
		if digits == "" {
			break
		}
		v[i], _ = strconv.ParseUint(digits, 10, 64) // at most 9 digits
		parts++
	}
	return v, parts, true
}

func parseConstraints(text string) (constraints, error) {
	var all constraints
	for part := range strings.SplitSeq(text, ",") {
		match := constraintPattern.FindStringSubmatch(strings.TrimSpace(part))
		if match == nil {
			return nil, fmt.Errorf("holds %q, which is no constraint", strings.TrimSpace(part))
		}
		v, parts, ok := splitVersion(match[2])
		if !ok {
			return nil, fmt.Errorf("holds %q, which is no version", match[2])
		}
		all = append(all, constraint{match[1], v, parts})
	}
	return all, nil
}

func (all constraints) allow(v version) bool {
	return !slices.ContainsFunc(all, func(c constraint) bool { return !c.allows(v) })
}

func (c constraint) allows(v version) bool {
	order := slices.CompareFunc(v[:], c.version[:], cmp.Compare[uint64])
	switch c.operator {
	case "!=":
		return order != 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case "~>":
		// All parts but the last one written must be equal: ~> 1.2 allows 1.9, ~> 1.2.3 allows 1.2.9.
		return order >= 0 && slices.Equal(v[:max(1, c.parts-1)], c.version[:max(1, c.parts-1)])
	}
	return order == 0
}
