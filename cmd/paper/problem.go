package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// writeProblem writes the joint problem of one instance as a file for `edgeplan
// solve`: the instance is "model,mib,nodes,network", as the lines of instances.csv
// begin.
func writeProblem(w io.Writer, instance string) error {
	at, r, err := parsePlace(instance)
	if err != nil {
		return fmt.Errorf("instance %q: %w", instance, err)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(joint(r.chain, at.network(), r.capacity()))
}

func parsePlace(s string) (place, row, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 4 {
		return place{}, row{}, fmt.Errorf("it has %d fields; model,mib,nodes,network are needed", len(fields))
	}
	var n [3]int
	for i, field := range fields[1:] {
		x, err := strconv.Atoi(field)
		if err != nil {
			return place{}, row{}, err
		}
		n[i] = x
	}
	at := place{fields[0], int64(n[0]), n[1], n[2]}
	if at.nodes < 2 || at.nodes > manyNodes || at.trial < 0 || at.trial >= trials {
		return place{}, row{}, fmt.Errorf("nodes are 2 to %d, networks 0 to %d", manyNodes, trials-1)
	}
	for _, r := range allRows() {
		if r.chain.Model == at.model && r.mib == at.mib {
			return at, r, nil
		}
	}
	return place{}, row{}, fmt.Errorf("the grid has no such model and capacity")
}
