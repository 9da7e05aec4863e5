package onnx

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

// The order chosen for the models of the builders keeps few bytes alive: not more than
// a plain topological order (Kahn's, first come first served, or last come) by
// three hundredths, and at most a tenth more than the best order there is, where that can be
// found. Some of that is the price of keeping together what the engine fuses.
func TestOrderQuality(t *testing.T) {
	all, err := modelbuilder.All(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			compareOrders(t, write(t, m.Model), Options{Dimensions: dimensions(m.Name), Shapes: engine(t)})
		})
	}
}

// The same for public models.
func TestOrderQualityPublic(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(publicModels(t), "*", "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		o := Options{Dimensions: publicDimensions(filepath.Base(path)), Shapes: engine(t), NoDigest: true}
		if _, err := Load(t.Context(), path, o); err != nil {
			continue // TestBadPublicModels has them
		}
		t.Run(filepath.Base(path), func(t *testing.T) { compareOrders(t, path, o) })
	}
}

func compareOrders(t *testing.T, path string, o Options) {
	t.Helper()
	c := mustLoad(t, path, o)
	m := c.model
	file := m.graph.segments()
	checkTopological(t, m, m.order)
	got := m.aliveBytes(m.order)
	if again := m.chooseOrder(); !slices.Equal(again, m.order) {
		t.Error("a second call chooses another order")
	}
	first, last := m.kahn(file, false), m.kahn(file, true)
	for _, other := range [][]int{file, m.greedyOrder(file), first, last} {
		checkTopological(t, m, other)
		if other := m.aliveBytes(other); got > 1.03*other {
			t.Errorf("%.4g bytes alive, and %.4g in another order", got, other)
		}
	}
	t.Logf("%d nodes: bytes alive as a share of those in the file's order %.3f, in Kahn's %.3f and %.3f",
		len(file), got/m.aliveBytes(file), got/m.aliveBytes(first), got/m.aliveBytes(last))
	best, found := m.leastAlive()
	if !found {
		return
	}
	t.Logf("and of the fewest %.3f", got/best)
	if got > 1.1*best {
		t.Errorf("%.4g bytes alive, and %.4g at least", got, best)
	}
}

// checkTopological wants every segment once, after those it reads from.
func checkTopological(t *testing.T, m *model, order []int) {
	t.Helper()
	done := map[int]bool{}
	for _, at := range order {
		for _, i := range m.graph.nodes[at].reads {
			if v := m.graph.values[i]; v.origin == fromNode && !done[v.producer] {
				t.Fatalf("%q comes before %q", m.graph.nodes[at].label, m.graph.nodes[v.producer].label)
			}
		}
		done[at] = true
	}
	if len(done) != len(m.graph.segments()) || len(done) != len(order) {
		t.Fatalf("%d different segments of %d in an order of %d", len(done), len(m.graph.segments()), len(order))
	}
}

// ready gives the segments whose inputs are made when those of done have run.
func (m *model) ready(file []int, done map[int]bool) []int {
	var list []int
	for _, at := range file {
		if !done[at] && !slices.ContainsFunc(m.graph.nodes[at].reads, func(i int) bool {
			return m.graph.values[i].origin == fromNode && !done[m.graph.values[i].producer]
		}) {
			list = append(list, at)
		}
	}
	return list
}

// kahn is a topological order that takes nodes in the order in which they become ready,
// or the one that became ready last (Kahn 1962, doi 10.1145/368996.369025).
func (m *model) kahn(file []int, newest bool) []int {
	var queue, order []int
	done := map[int]bool{}
	for len(order) < len(file) {
		for _, at := range m.ready(file, done) {
			if !slices.Contains(queue, at) {
				queue = append(queue, at)
			}
		}
		next := 0
		if newest {
			next = len(queue) - 1
		}
		order = append(order, queue[next])
		done[queue[next]] = true
		queue = slices.Delete(queue, next, next+1)
	}
	return order
}

// statesLimit bounds the sets of nodes that leastAlive looks at in one position.
const statesLimit = 3000

// leastAlive is the fewest bytes alive, summed over all positions, of any order: what
// is alive at a position depends only on the set of nodes before it. It is not
// found where there are too many sets.
func (m *model) leastAlive() (sum float64, found bool) {
	file := m.graph.segments()
	type state struct {
		done map[int]bool
		sum  float64
	}
	states := []state{{map[int]bool{}, m.aliveAfter(nil)}}
	for range file {
		next := map[string]state{}
		for _, s := range states {
			for _, at := range m.ready(file, s.done) {
				done := map[int]bool{at: true}
				key := make([]byte, len(m.graph.nodes))
				key[at] = 1
				for n := range s.done {
					done[n], key[n] = true, 1
				}
				if old, ok := next[string(key)]; ok && old.sum <= s.sum+m.aliveAfter(done) {
					continue
				}
				next[string(key)] = state{done, s.sum + m.aliveAfter(done)}
			}
		}
		if len(next) > statesLimit {
			return 0, false
		}
		states = states[:0]
		for _, s := range next {
			states = append(states, s)
		}
	}
	return states[0].sum, true
}

// aliveAfter is the bytes alive when a set of nodes has run.
func (m *model) aliveAfter(done map[int]bool) float64 {
	var total float64
	for i, v := range m.graph.values {
		made := v.origin == fromInput || v.origin == fromNode && done[v.producer]
		wanted := slices.ContainsFunc(v.readers, func(at int) bool { return !done[at] })
		if v.output && v.constant() {
			made, wanted = len(done) == len(m.graph.segments()), true
		}
		if made && (wanted || v.output) {
			total += float64(m.size(i))
		}
	}
	return total
}
