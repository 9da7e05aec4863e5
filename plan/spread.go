package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

const (
	// leastGiven is the size from which on a blob may come from another device. Smaller
	// ones travel from the operator many at a time.
	leastGiven = 256 << 10
	// giftSeconds is what asking two devices takes, beside what the bytes do.
	giftSeconds = 0.25
)

// spread decides for every upload where it comes from: from the operator, whose line carries
// rate bytes per second to all devices together, or from a device that has the blob by then,
// whichever has it there first. A rate of 0 is not known, and everything comes from the
// operator.
//
// It is list scheduling (Graham 1969): the copies of a batch of blobs are placed one after the
// other, each where it ends soonest, so that they double from round to round where devices
// are near each other. A device gives one batch at a time and takes one at a time. The worker
// program does both, so that a new one goes before all else; where there is none yet, and no shell
// that can get it, it comes from the operator.
func spread(uploads []Upload, t trading, n network, rate float64) {
	if rate <= 0 {
		return
	}
	s := newSpreading(t.nodes, n, rate)
	for _, b := range s.batches(uploads, t) {
		for to, from := range s.place(b) {
			for _, i := range b.uploads[to] {
				uploads[i].From, uploads[i].Over = s.nodes[from], s.links[from][to].medium
			}
		}
	}
}

// spreading is how far the lines and devices are taken. Nodes are numbers, times seconds.
type spreading struct {
	nodes []string
	links [][]road // from, to
	best  []road   // by from: nothing goes sooner than over that
	rate  float64  // of the operator's line, in bytes per second

	line  float64            // when the operator's line is free
	ready []float64          // when a device has all that comes from the operator, and its worker program
	gives []float64          // when it is done with giving
	takes []float64          // when it is done with taking
	media map[string]float64 // when a shared network is free
}

// road is a connection between two devices; with less than LeastRate there is none.
type road struct {
	rate   float64 // bytes per second
	medium string  // shared by other roads; "" is none
}

// batch is blobs that the same devices lack and the same ones have.
type batch struct {
	program bool // whether that is worker programs
	bytes   int64
	uploads map[int][]int   // by who lacks them
	lacking []int           // who has no place yet
	holders []int           // who has them, or will have
	since   map[int]float64 // when the holders have them
}

func newSpreading(nodes []string, n network, rate float64) *spreading {
	s := &spreading{nodes: nodes, rate: rate, media: map[string]float64{},
		ready: make([]float64, len(nodes)), gives: make([]float64, len(nodes)), takes: make([]float64, len(nodes))}
	for _, from := range nodes {
		row := make([]road, len(nodes))
		for i, to := range nodes {
			c := n.connections[pair{from, to}]
			row[i].rate = c.bandwidth
			if n.isShared(c.via) {
				row[i].medium = c.via
			}
		}
		s.links, s.best = append(s.links, row), append(s.best, bestOf(row))
	}
	return s
}

// bestOf is as fast as the fastest of some roads, and shared where they all are.
func bestOf(roads []road) road {
	best := road{}
	for i, r := range slices.DeleteFunc(slices.Clone(roads), func(r road) bool { return r.rate < LeastRate }) {
		if i == 0 {
			best.medium = r.medium
		} else if best.medium != r.medium {
			best.medium = ""
		}
		best.rate = max(best.rate, r.rate)
	}
	return best
}

// batches sorts out what may come from elsewhere, programs and then the biggest first, and lets the rest take the
// operator's line.
func (s *spreading) batches(uploads []Upload, t trading) []*batch {
	alike := map[string]*batch{}
	var list []*batch
	for _, c := range s.candidates(uploads, t) {
		key := fmt.Sprint(c.program, c.lacking, c.holders)
		b := alike[key]
		if b == nil {
			b = &batch{program: c.program, uploads: map[int][]int{}, lacking: c.lacking, holders: c.holders, since: c.since}
			alike[key], list = b, append(list, b)
		}
		b.bytes += uploads[c.uploads[0]].Blob.Size
		for i, node := range c.lacking {
			b.uploads[node] = append(b.uploads[node], c.uploads[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *batch) int {
		switch {
		case a.program == b.program:
			return cmp.Compare(b.bytes, a.bytes)
		case a.program:
			return -1
		}
		return 1
	})
	return list
}

// candidate is a blob that may come from elsewhere.
type candidate struct {
	program          bool
	lacking, uploads []int // who lacks it, and by which upload it comes
	holders          []int
	since            map[int]float64
}

func (s *spreading) candidates(uploads []Upload, t trading) []*candidate {
	byDigest := map[string]*candidate{}
	var list []*candidate
	for i, u := range uploads {
		node := slices.Index(s.nodes, u.Node)
		if node < 0 || u.Blob.Size < leastGiven {
			s.send(node, u.Blob.Size)
			continue
		}
		c := byDigest[u.Blob.Digest]
		if c == nil {
			c = &candidate{program: u.Blob.Name == worker.ProgramFile, holders: s.holders(u.Blob, t), since: map[int]float64{}}
			byDigest[u.Blob.Digest], list = c, append(list, c)
		}
		if c.program && !t.able[u.Node] {
			c.holders, c.since[node] = append(c.holders, node), s.send(node, u.Blob.Size)
			continue
		}
		c.lacking, c.uploads = append(c.lacking, node), append(c.uploads, i)
	}
	return slices.DeleteFunc(list, func(c *candidate) bool { return len(c.lacking) == 0 })
}

func (s *spreading) holders(blob statefile.Blob, t trading) []int {
	var list []int
	for i, node := range s.nodes {
		if size, ok := t.have[node][blob.Digest]; ok && size == blob.Size {
			list = append(list, i)
		}
	}
	return list
}

// send takes the operator's line for some bytes to a device, and gives the time when they
// are there; -1 is a device that gives and takes nothing else.
func (s *spreading) send(to int, bytes int64) float64 {
	s.line += float64(bytes) / s.rate
	if to >= 0 {
		s.ready[to] = s.line
	}
	return s.line
}

// fromOperator stands for the operator as a giver.
const fromOperator = -1

// way is one way of bringing a batch to a device.
type way struct {
	from, to int
	end      float64
}

// place chooses where every device gets a batch from; those that get it from the operator are
// left out.
func (s *spreading) place(b *batch) map[int]int {
	givers := map[int]int{}
	for len(b.lacking) > 0 {
		next := s.soonest(b)
		s.take(b, next)
		if next.from != fromOperator {
			givers[next.to] = next.from
		}
	}
	return givers
}

// soonest is the way that ends first; of those that end together it is the operator's, or the one
// from the first holder to the first that lacks the batch.
func (s *spreading) soonest(b *batch) way {
	next := way{from: fromOperator, end: s.line + float64(b.bytes)/s.rate}
	for _, from := range b.holders {
		begin := max(b.since[from], s.ready[from], s.gives[from], s.media[s.best[from].medium])
		if s.best[from].rate == 0 || begin+giftSeconds+float64(b.bytes)/s.best[from].rate >= next.end {
			continue // of a million pairs few are looked at
		}
		for _, to := range b.lacking {
			if w, ok := s.across(b, from, to); ok && w.end < next.end {
				next = w
			}
		}
	}
	if next.from == fromOperator {
		next.to = s.central(b)
	}
	return next
}

// central is the device that passes a batch on best.
func (s *spreading) central(b *batch) int {
	best, most := b.lacking[0], -1.0
	for _, node := range b.lacking {
		onward := 0.0
		for _, other := range b.lacking {
			onward += s.links[node][other].rate
		}
		if onward > most {
			best, most = node, onward
		}
	}
	return best
}

// across is the way from a device that has the batch.
func (s *spreading) across(b *batch, from, to int) (way, bool) {
	r := s.links[from][to]
	if r.rate < LeastRate || from == to {
		return way{}, false
	}
	begin := max(b.since[from], s.ready[from], s.ready[to], s.gives[from], s.takes[to], s.media[r.medium])
	return way{from, to, begin + giftSeconds + float64(b.bytes)/r.rate}, true
}

// take carries out a way.
func (s *spreading) take(b *batch, w way) {
	if w.from == fromOperator {
		s.send(w.to, b.bytes)
	} else {
		s.gives[w.from], s.takes[w.to] = w.end, w.end
		if medium := s.links[w.from][w.to].medium; medium != "" {
			s.media[medium] = w.end
		}
	}
	if b.program {
		s.ready[w.to] = max(s.ready[w.to], w.end)
	}
	b.holders, b.since[w.to] = append(b.holders, w.to), w.end
	b.lacking = slices.DeleteFunc(slices.Clone(b.lacking), func(node int) bool { return node == w.to })
}
