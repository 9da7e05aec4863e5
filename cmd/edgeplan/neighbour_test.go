package main_test

import (
	"bufio"
	"encoding/json"
	"math"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// way is where something goes and which device gives it; "" is the operator's machine.
type way struct{ node, from string }

// checkMoved is `moved PLAN EVENTS NODE FROM`: what the events of an apply count is what the plan
// said, within 1 %, on each way, and something went from FROM to NODE.
func checkMoved(ts *testscript.TestScript, _ bool, args []string) {
	said, counted := plannedBytes(ts, args[0]), movedBytesOf(ts, args[1])
	for w, want := range said {
		if got := counted[w]; math.Abs(float64(got-want)) > 0.01*float64(want) {
			ts.Fatalf("%s from %q: %d bytes were moved, and the plan says %d", w.node, w.from, got, want)
		}
	}
	for w := range counted {
		if _, ok := said[w]; !ok {
			ts.Fatalf("%d bytes came to %s from %q, of which the plan says nothing", counted[w], w.node, w.from)
		}
	}
	if said[way{args[2], args[3]}] == 0 {
		ts.Fatalf("nothing comes to %s from %s: %v", args[2], args[3], said)
	}
}

func plannedBytes(ts *testscript.TestScript, file string) map[way]int64 {
	var document struct {
		Uploads []struct {
			Node       string
			Bytes      int64
			Neighbours []struct {
				Node  string
				Bytes int64
			}
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &document))
	said := map[way]int64{}
	for _, u := range document.Uploads {
		said[way{u.Node, ""}] = u.Bytes
		for _, g := range u.Neighbours {
			said[way{u.Node, g.Node}] = g.Bytes
			said[way{u.Node, ""}] -= g.Bytes
		}
	}
	return said
}

func movedBytesOf(ts *testscript.TestScript, file string) map[way]int64 {
	counted := map[way]int64{}
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(file)))
	for lines.Scan() {
		var e struct {
			Type, Node, From, Kind string
			Bytes, Total           int64
		}
		ts.Check(json.Unmarshal(lines.Bytes(), &e))
		if e.Type == "progress" && e.Bytes == e.Total { // each upload ends with one
			counted[way{e.Node, e.From}] += e.Bytes
		}
	}
	return counted
}
