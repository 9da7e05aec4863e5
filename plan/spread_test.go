package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

const mbit = 1e6 / 8 // bytes per second

// spreadCase is some nodes and what they are connected with.
type spreadCase struct {
	trading
	network
	uploads []Upload
}

func newSpreadCase(nodes int) *spreadCase {
	c := &spreadCase{trading: trading{have: map[string]map[string]int64{}, able: map[string]bool{}}, network: network{connections: map[pair]connection{}}}
	for i := range nodes {
		name := fmt.Sprintf("n%02d", i)
		c.nodes = append(c.nodes, name)
		c.have[name] = map[string]int64{}
	}
	return c
}

// lan connects all nodes.
func (c *spreadCase) lan(rate float64) *spreadCase {
	for _, from := range c.nodes {
		for _, to := range c.nodes {
			if from != to {
				c.connections[pair{from, to}] = connection{via: "network.lan", bandwidth: rate}
			}
		}
	}
	return c
}

func (c *spreadCase) holds(node string, blob statefile.Blob) { c.have[node][blob.Digest] = blob.Size }

func (c *spreadCase) lack(blob statefile.Blob, nodes ...string) {
	for _, node := range nodes {
		c.uploads = append(c.uploads, Upload{Node: node, Blob: blob})
	}
}

// spread gives who gives what to whom, as "n01 layer from n00".
func (c *spreadCase) spread(uplink float64) (list []string) {
	spread(c.uploads, c.trading, c.network, uplink)
	for _, u := range c.uploads {
		if u.From != "" {
			list = append(list, fmt.Sprintf("%s %s from %s", u.Node, u.Blob.Name, u.From))
		}
	}
	return list
}

func thing(name string, size int64) statefile.Blob {
	return statefile.Blob{Name: name, Digest: "digest of " + name, Size: size}
}

func TestSpread(t *testing.T) {
	engine, program, layer, bias := thing(worker.EngineFile, 20e6), thing(worker.ProgramFile, 15e6), thing("layer", 4e6), thing("bias", 4e3)
	tests := []struct {
		name   string
		uplink float64 // Mbit/s
		set    func() *spreadCase
		want   []string
	}{
		{"an unknown line", 0, func() *spreadCase {
			c := newSpreadCase(2).lan(1000 * mbit)
			c.holds("n00", layer)
			c.lack(layer, "n01")
			return c
		}, nil},
		{"a layer that moves, small things with it", 20, func() *spreadCase {
			c := newSpreadCase(2).lan(100 * mbit)
			c.holds("n00", layer)
			c.holds("n00", bias)
			c.lack(layer, "n01")
			c.lack(bias, "n01")
			return c
		}, []string{"n01 layer from n00"}},
		{"a neighbour that is further than the operator", 100, func() *spreadCase {
			c := newSpreadCase(2).lan(50 * mbit)
			c.holds("n00", layer)
			c.lack(layer, "n01")
			return c
		}, nil},
		{"no way to it", 20, func() *spreadCase {
			c := newSpreadCase(2)
			c.connections[pair{"n01", "n00"}] = connection{bandwidth: 1000 * mbit} // the other way only
			c.holds("n00", layer)
			c.lack(layer, "n01")
			return c
		}, nil},
		{"a way that is too slow for a passing", 0.3, func() *spreadCase {
			c := newSpreadCase(2).lan(0.5 * mbit) // faster than the operator's line
			c.holds("n00", layer)
			c.lack(layer, "n01")
			return c
		}, nil},
		{"another size of that digest", 20, func() *spreadCase {
			c := newSpreadCase(2).lan(100 * mbit)
			c.have["n00"][layer.Digest] = 7
			c.lack(layer, "n01")
			return c
		}, nil},
		{"a first deployment", 20, func() *spreadCase {
			c := newSpreadCase(4).lan(1000 * mbit)
			c.lack(engine, c.nodes...)
			c.lack(program, c.nodes...)
			return c
		}, []string{"n01 libonnxruntime.so.1 from n00", "n02 libonnxruntime.so.1 from n00", "n03 libonnxruntime.so.1 from n01"}},
		{"a first deployment, to shells that can fetch", 20, func() *spreadCase {
			c := newSpreadCase(3).lan(1000 * mbit)
			for _, node := range c.nodes {
				c.able[node] = true
			}
			c.lack(engine, c.nodes...)
			c.lack(program, c.nodes...)
			return c
		}, []string{"n01 libonnxruntime.so.1 from n00", "n02 libonnxruntime.so.1 from n00",
			"n01 edgeplan-worker from n00", "n02 edgeplan-worker from n00"}},
		{"a new worker program", 20, func() *spreadCase {
			c := newSpreadCase(3).lan(1000 * mbit)
			c.able["n00"], c.able["n02"] = true, true
			c.lack(program, c.nodes...) // n01 is new, and has none to take it with
			return c
		}, []string{"n00 edgeplan-worker from n01", "n02 edgeplan-worker from n01"}},
		{"two architectures", 20, func() *spreadCase {
			c := newSpreadCase(4).lan(1000 * mbit)
			other := thing("other engine", 20e6)
			c.lack(engine, "n00", "n01")
			c.lack(other, "n02", "n03")
			return c
		}, []string{"n01 libonnxruntime.so.1 from n00", "n03 other engine from n02"}},
		{"a line that is as fast as they are: some of each", 100, func() *spreadCase {
			c := newSpreadCase(4).lan(100 * mbit)
			c.lack(engine, c.nodes...)
			return c
		}, []string{"n02 libonnxruntime.so.1 from n00"}},
		{"one that all others are near is first", 20, func() *spreadCase {
			c := newSpreadCase(3)
			for _, other := range []string{"n00", "n01"} {
				c.connections[pair{"n02", other}] = connection{bandwidth: 100 * mbit}
			}
			c.lack(engine, c.nodes...)
			return c
		}, []string{"n00 libonnxruntime.so.1 from n02", "n01 libonnxruntime.so.1 from n02"}},
		{"a node whose files are not trusted", 20, func() *spreadCase {
			c := newSpreadCase(3).lan(1000 * mbit)
			c.nodes = c.nodes[1:] // n00 is replaced
			c.holds("n00", layer)
			c.lack(layer, "n00", "n01")
			return c
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.set().spread(test.uplink*mbit)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Thirty devices behind a slow line: what they have in common goes over it once.
func TestSpreadOverMany(t *testing.T) {
	c := newSpreadCase(30).lan(1000 * mbit)
	c.lack(thing(worker.EngineFile, 20e6), c.nodes...)
	if n := len(c.spread(20 * mbit)); n != 29 {
		t.Errorf("%d of 30 copies come from a neighbour", n)
	}
	given := map[string]int{}
	for _, u := range c.uploads {
		given[u.From]++
	}
	if most := slices.Max(slices.Collect(maps.Values(given))); most > 6 {
		t.Errorf("one device gives %d copies: %v", most, given)
	}
}

// On one radio copies add up, so that it is the operator's turn in between.
func TestSpreadOverRadio(t *testing.T) {
	c := newSpreadCase(6).lan(40 * mbit)
	c.shared = []sharedNetwork{{address: "network.lan"}}
	c.lack(thing(worker.EngineFile, 20e6), c.nodes...)
	if n := len(c.spread(30 * mbit)); n < 2 || n > 3 {
		t.Errorf("%d of 6 copies come over the radio, which is about as fast as the operator's line", n)
	}
	for _, u := range c.uploads {
		if (u.From != "") != (u.Over == "network.lan") {
			t.Errorf("what %s gets from %q goes over %q", u.Node, u.From, u.Over)
		}
	}
}

// soonestOfAll looks at every pair.
func (s *spreading) soonestOfAll(b *batch) way {
	next := way{fromOperator, s.central(b), s.line + float64(b.bytes)/s.rate}
	for _, from := range b.holders {
		for _, to := range b.lacking {
			if w, ok := s.across(b, from, to); ok && w.end < next.end {
				next = w
			}
		}
	}
	return next
}

// The pairs that are not looked at would not be taken.
func TestSoonestOfAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newSpreadCase(rapid.IntRange(1, 12).Draw(r, "nodes"))
		few := rapid.SampledFrom([]float64{0, LeastRate / 2, LeastRate, 1e6, 1e6, 3e7}) // for many that end together
		for _, from := range c.nodes {
			for _, to := range c.nodes {
				if from != to {
					c.connections[pair{from, to}] = connection{via: rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(r, "via"), bandwidth: few.Draw(r, "bandwidth")}
				}
			}
			c.able[from] = true
		}
		c.shared = []sharedNetwork{{address: "a"}}
		for i := range rapid.IntRange(1, 4).Draw(r, "blobs") {
			blob := thing(rapid.SampledFrom([]string{"x", worker.ProgramFile}).Draw(r, "name"), rapid.SampledFrom([]int64{1, 1e6, 2e7}).Draw(r, "size"))
			blob.Digest = fmt.Sprint(i)
			for _, node := range c.nodes {
				if rapid.IntRange(0, 3).Draw(r, "has") == 0 {
					c.holds(node, blob)
				} else {
					c.lack(blob, node)
				}
			}
		}
		s := newSpreading(c.nodes, c.network, rapid.SampledFrom([]float64{1e5, 1e6, 1e7}).Draw(r, "uplink"))
		for _, b := range s.batches(c.uploads, c.trading) {
			for len(b.lacking) > 0 {
				next := s.soonest(b)
				if want := s.soonestOfAll(b); next != want {
					r.Fatalf("%+v, want %+v", next, want)
				}
				s.take(b, next)
			}
		}
	})
}

// Whatever lacks what: a giver has what it gives or gets it before, in no circle; every way
// exists; the same input gives the same.
func TestSpreadProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newSpreadCase(rapid.IntRange(1, 8).Draw(r, "nodes"))
		for _, from := range c.nodes {
			for _, to := range c.nodes {
				if from != to && rapid.Bool().Draw(r, "connected") {
					c.connections[pair{from, to}] = connection{via: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "via"),
						bandwidth: rapid.Float64Range(1e5, 1e9).Draw(r, "bandwidth")}
				}
			}
			c.able[from] = rapid.Bool().Draw(r, "able")
		}
		c.shared = []sharedNetwork{{address: "a"}}
		for i := range rapid.IntRange(1, 5).Draw(r, "blobs") {
			blob := thing(rapid.SampledFrom([]string{"x", "y", worker.ProgramFile}).Draw(r, "name"), rapid.Int64Range(1, 1e8).Draw(r, "size"))
			blob.Digest = fmt.Sprint(i)
			for _, node := range c.nodes {
				switch rapid.IntRange(0, 2).Draw(r, "has") {
				case 0:
					c.holds(node, blob)
				case 1:
					c.lack(blob, node)
				}
			}
		}
		again := &spreadCase{c.trading, c.network, slices.Clone(c.uploads)}
		uplink := rapid.Float64Range(1e4, 1e9).Draw(r, "uplink")
		list := c.spread(uplink)
		if diff := cmp.Diff(list, again.spread(uplink)); diff != "" {
			r.Fatal(diff)
		}
		from := map[[2]string]string{}
		for _, u := range c.uploads {
			from[[2]string{u.Node, u.Blob.Digest}] = u.From
		}
		for _, u := range c.uploads {
			if u.From == "" {
				continue
			}
			if c.connections[pair{u.From, u.Node}].bandwidth == 0 {
				r.Fatalf("%s does not reach %s", u.From, u.Node)
			}
			at, steps := u.Node, 0
			for from[[2]string{at, u.Blob.Digest}] != "" {
				if at, steps = from[[2]string{at, u.Blob.Digest}], steps+1; steps > len(c.nodes) {
					r.Fatalf("%s gets %s in a circle:\n%s", u.Node, u.Blob.Digest, strings.Join(list, "\n"))
				}
			}
			_, comes := from[[2]string{at, u.Blob.Digest}]
			if _, has := c.have[at][u.Blob.Digest]; !has && !comes {
				r.Fatalf("%s never has %s", at, u.Blob.Digest)
			}
			if u.Blob.Name == worker.ProgramFile && !c.able[u.Node] {
				r.Fatalf("%s has nothing to take its worker program with", u.Node)
			}
		}
	})
}

func BenchmarkSpread(b *testing.B) {
	for _, network := range []string{"", "network.lan"} {
		b.Run("shared "+network, func(b *testing.B) {
			c := newSpreadCase(1000).lan(1000 * mbit)
			c.shared = []sharedNetwork{{address: network}}
			c.lack(thing(worker.EngineFile, 20e6), c.nodes...)
			for b.Loop() {
				c.spread(20 * mbit)
			}
		})
	}
}
