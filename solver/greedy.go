package solver

// Greedy: simple walks. From each node a walk gives its stage as many segments
// as stay within a target, then moves on over the fastest link to a node that is
// not used yet, as the greedy baseline of the paper does with cuts chosen
// beforehand. Here the target is found by bisection and a stage ends earlier
// when only an earlier cut can be moved on. The best walk of all wins.

const (
	greedyRounds = 24
	greedyStarts = 64 // in larger clusters not every node is a start
)

// greedy gives the best walk, or nil when none gets through. The bound is a
// proven lower bound on the bottleneck.
func (m *model) greedy(bound int64, b *budget) path {
	best, score := m.walks(never, b)
	if best == nil {
		return nil
	}
	low, high := bound, score.peak
	for range greedyRounds {
		if low >= high {
			break
		}
		mid := low + (high-low)/2
		way, s := m.walks(mid, b)
		if way != nil && s.compare(score) < 0 {
			best, score = way, s
		}
		if way != nil && s.peak <= mid {
			high = s.peak
		} else {
			low = mid + 1
		}
	}
	return best
}

// walks tries every class as the first and keeps the best walk.
func (m *model) walks(target int64, b *budget) (best path, least score) {
	for c := 0; c < len(m.classes); c += (len(m.classes) + greedyStarts - 1) / greedyStarts {
		way := m.walk(c, target)
		if s, ok := m.cost(way); ok && (best == nil || s.compare(least) < 0) {
			best, least = way, s
		}
		if !b.spend(m.end * len(m.classes)) {
			break
		}
	}
	return best, least
}

func (m *model) walk(c int, target int64) path {
	var way path
	used := make([]int, len(m.classes))
	for i := 0; len(way) < m.stages; {
		used[c]++
		end, next := m.hop(c, i, target, used)
		if end < 0 {
			return nil
		}
		way = append(way, step{c, end})
		if end == m.end {
			return way
		}
		c, i = next, end
	}
	return nil
}

// hop ends the stage of class c that starts at i as late as it can, and chooses
// the next class; end is -1 when there is none.
func (m *model) hop(c, i int, target int64, used []int) (end, next int) {
	for j := m.furthest(c, i, target); j > i; j-- {
		if !m.allowed(&m.classes[c], i, j) || m.peakPS(&m.classes[c], i, j) > target {
			continue
		}
		if j == m.end {
			return j, -1
		}
		if d := m.fastest(c, i, j, target, used); d >= 0 {
			return j, d
		}
	}
	return -1, -1
}

func (m *model) furthest(c, i int, target int64) int {
	k := &m.classes[c]
	j := i
	for j < m.end && !k.tooLong(i, j+1, target) && m.weight[j+1]-m.weight[i] <= k.room {
		j++
	}
	return j
}

// fastest is the class with the fastest link for cut j that can go on from
// there.
func (m *model) fastest(c, i, j int, target int64, used []int) int {
	best := -1
	for d := range m.classes {
		l := &m.links[c][d]
		if used[d] == len(m.classes[d].members) || !l.up || l.ps(m.bytes[j]) > target || !m.allowed(&m.classes[d], j, j+1) {
			continue
		}
		if best < 0 || l.rate < m.links[c][best].rate {
			best = d
		}
	}
	return best
}
