package solver

import (
	"context"
	"slices"
)

// answer says whether a problem has a placement.
type answer int

const (
	unclear answer = iota
	fits
	fitsNot // proven
)

// oracle decides whether changed problems have placements. It counts work, so
// that its answers do not depend on the speed of the machine.
type oracle struct {
	ctx  context.Context
	work int64 // what is left
}

// oracleWork bounds one explanation, oracleStep one question.
const (
	oracleWork = 1 << 28
	oracleStep = 1 << 28
)

// ask drops everything about time, which only memory, links and limits leave:
// nodes that differ in speed alone become alike, and any placement is optimal.
func (o *oracle) ask(p *Problem) answer {
	if o.work <= 0 {
		return unclear
	}
	s, err := Solve(o.ctx, timeless(p), Options{WorkLimit: min(o.work, oracleStep), unreasoned: true})
	if err != nil {
		return unclear
	}
	n, l := int64(len(p.Nodes)), int64(p.Segments())
	o.work -= s.Work + n*n*(n+l)/2 + n*l*l // and what getting ready takes
	switch s.Status {
	case Infeasible:
		return fitsNot
	case Unknown:
		return unclear
	}
	return fits
}

func timeless(p *Problem) *Problem {
	q := *p
	q.Nodes = slices.Clone(p.Nodes)
	none := make([]float64, p.Segments())
	for v, node := range q.Nodes {
		q.Nodes[v] = Node{Name: node.Name, MemoryBytes: node.MemoryBytes, BaseBytes: node.BaseBytes, SegmentSeconds: none}
	}
	q.Bandwidth = make([][]float64, len(p.Bandwidth))
	for u, row := range p.Bandwidth {
		q.Bandwidth[u] = make([]float64, len(row))
		for v, b := range row {
			if u != v && b > 0 {
				q.Bandwidth[u][v] = 1e300
			}
		}
	}
	q.Latency, q.Shared, q.HeldBytes, q.Start, q.Overlap = nil, nil, nil, nil, nil
	return &q
}

// least is the smallest number from low+1 to high for which a problem has a
// placement, when low has none and more never hurts. It is proven when the
// number before it has none.
func (o *oracle) least(low, high int64, with func(int64) *Problem) (n int64, proven, found bool) {
	switch {
	case o.work <= 0:
		return 0, false, false
	case o.ask(with(low+1)) == fits: // often all that is needed
		return low + 1, true, true
	case low+1 == high || o.ask(with(high)) != fits:
		return 0, false, false
	}
	for low+1 < high {
		mid := low + (high-low)/2
		switch o.ask(with(mid)) {
		case fits:
			high = mid
		case fitsNot:
			low = mid
		default:
			return high, false, true
		}
	}
	return high, true, true
}
