package plan

import (
	"fmt"
	"testing"

	"github.com/edgeplan/edgeplan/statefile"
)

// Devices that a model leaves give what they hold, where they told of it.
func TestTradingOfThoseThatLeave(t *testing.T) {
	p := planOf(stateOf(map[string]statefile.Model{"m": pipeline("abc", 6, 2, 4)}), stateOf(map[string]statefile.Model{"m": pipeline("ad", 6, 3)}))
	held := map[string]map[string]int64{"node.c": {"x": 1}, "node.e": {"y": 1}}
	got := tradingOf(p, Diff(p.Prior, p.Desired), Input{Held: held})
	if want := []string{"node.a", "node.c", "node.d"}; fmt.Sprint(got.nodes) != fmt.Sprint(want) {
		t.Errorf("nodes %q, want %q", got.nodes, want)
	}
	if got.have["node.c"]["x"] != 1 {
		t.Errorf("holdings %v", got.have)
	}
}
