package solver

import "math/rand/v2"

// Random is the baseline of the paper: the stages are packed into the smallest
// node's memory, each cut is moved to a random place up to where packing left it,
// and the nodes are a random sample. Departure: the published code takes the first
// draw, whether it fits or not; here the first of randomDraws that keeps all rules.

const randomDraws = 1000

func (m *model) random(seed uint64, b *budget) path {
	draw := rand.New(rand.NewPCG(seed, 1))
	packed := m.pack()
	if packed == nil || len(packed) > m.stages {
		return nil
	}
	for range randomDraws {
		if !b.spend(m.end) {
			return nil
		}
		way, used, before := path{}, m.p.usableNodes(), 0
		draw.Shuffle(len(used), func(i, j int) { used[i], used[j] = used[j], used[i] })
		for k, end := range packed {
			if end < m.end {
				end = before + 1 + draw.IntN(end-before)
			}
			way = append(way, step{m.classOf(used[k]), end})
			before = packed[k]
		}
		if _, ok := m.cost(way); ok {
			return way
		}
	}
	return nil
}

// pack gives the ends of stages that take as much as fits the smallest node.
func (m *model) pack() []int {
	room := m.classes[0].room
	for _, c := range m.classes {
		room = min(room, c.room)
	}
	var out []int
	for i := 0; i < m.end; {
		j := i
		for j < m.end && m.need(i, j+1) <= room {
			j++
		}
		if j == i {
			return nil
		}
		out = append(out, j)
		i = j
	}
	return out
}

func (m *model) classOf(node int) int {
	for c := range m.classes {
		for _, v := range m.classes[c].members {
			if v == node {
				return c
			}
		}
	}
	return -1
}
