package solver

import (
	"slices"
	"testing"
)

// mark is a label of one state: what it costs, its load of two networks, and how
// busy its last node and its busiest node are.
type mark struct {
	cost       int64
	loads      [2]int64
	busy, peak int64
	way        int32 // the label it comes from
}

// Of two labels in one state the one that is worse in everything goes, and the others
// stay in the list of the state, the newest first.
func TestDominance(t *testing.T) {
	for _, c := range []struct {
		name string
		ties bool
		in   []mark
		stay []int // numbers of in
	}{
		{"the same", false, []mark{{loads: [2]int64{3, 3}}, {loads: [2]int64{3, 3}}}, []int{0}},
		{"heavier on both networks", false, []mark{{loads: [2]int64{3, 3}}, {loads: [2]int64{3, 4}}}, []int{0}},
		{"lighter on one network", false, []mark{{loads: [2]int64{3, 3}}, {loads: [2]int64{3, 2}}}, []int{1}},
		{"lighter and heavier", false, []mark{{loads: [2]int64{3, 3}}, {loads: [2]int64{4, 2}}}, []int{1, 0}},
		{"heavier and lighter", false, []mark{{loads: [2]int64{3, 3}}, {loads: [2]int64{2, 4}}}, []int{1, 0}},
		{"a busier last node", false, []mark{{busy: 3}, {busy: 4}}, []int{0}},
		{"a less busy last node", false, []mark{{busy: 3}, {busy: 2}}, []int{1}},
		{"lighter, but a busier last node", false, []mark{{loads: [2]int64{3, 3}, busy: 3}, {loads: [2]int64{2, 2}, busy: 4}}, []int{1, 0}},
		{"a higher peak", false, []mark{{peak: 3}, {peak: 4}}, []int{0}},
		{"a lower peak", false, []mark{{peak: 3}, {peak: 2}}, []int{1}},
		{"lighter, but a higher peak", false, []mark{{loads: [2]int64{3, 3}, peak: 3}, {loads: [2]int64{2, 2}, peak: 4}}, []int{1, 0}},
		{"peaks below the threshold are no tie", true, []mark{{peak: 4}, {peak: 3, cost: 1}}, []int{0}},
		{"costs more", true, []mark{{cost: 3}, {cost: 4}}, []int{0}},
		{"costs less", true, []mark{{cost: 3}, {cost: 2}}, []int{1}},
		{"costs less, but heavier", true, []mark{{cost: 3}, {cost: 2, loads: [2]int64{1, 0}}}, []int{1, 0}},
		{"costs more, but lighter", true, []mark{{cost: 3, loads: [2]int64{1, 0}}, {cost: 4}}, []int{1, 0}},
		{"later nodes", true, []mark{{way: 0}, {way: 1}}, []int{0}},
		{"earlier nodes", true, []mark{{way: 1}, {way: 0}}, []int{1}},
		{"costs do not count for the load alone", false, []mark{{cost: 3}, {cost: 4, loads: [2]int64{1, 1}}}, []int{0}},
		{"the first of three", false, []mark{{loads: [2]int64{5, 5}}, {loads: [2]int64{2, 9}}, {loads: [2]int64{9, 2}}, {loads: [2]int64{4, 4}}}, []int{3, 2, 1}},
		{"the second of three", false, []mark{{loads: [2]int64{2, 9}}, {loads: [2]int64{5, 5}}, {loads: [2]int64{9, 2}}, {loads: [2]int64{4, 4}}}, []int{3, 2, 0}},
		{"the last of three", false, []mark{{loads: [2]int64{2, 9}}, {loads: [2]int64{9, 2}}, {loads: [2]int64{5, 5}}, {loads: [2]int64{4, 4}}}, []int{3, 1, 0}},
		{"all of three", false, []mark{{loads: [2]int64{2, 9}}, {loads: [2]int64{9, 2}}, {loads: [2]int64{5, 5}}, {loads: [2]int64{1, 1}}}, []int{3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &model{nets: 2, cuts: []int{0, 1, 2}, classes: []class{{members: []int{0}}, {members: []int{1}}, {members: []int{2}}}}
			s := &labels{m: m, ties: c.ties, head: map[state]int32{}}
			for v := range int32(2) {
				s.all = append(s.all, label{class: v, pos: 1, ended: true, parent: -1})
				s.sums = append(s.sums, 0, 0)
			}
			const first = 2
			numbers := map[int32]int{} // label -> number of in
			for k, in := range c.in {
				l := label{state: state{code: 7}, class: 2, pos: 2, ended: true, parent: in.way, cost: tuple{in.cost}, busy: in.busy, peak: in.peak, next: -1}
				id := int32(len(s.all))
				s.all, s.sums = append(s.all, l), append(s.sums, in.loads[0], in.loads[1])
				if s.dominated(id) {
					s.all, s.sums = s.all[:id], s.sums[:2*id]
					continue
				}
				if head, some := s.head[l.state]; some {
					s.all[id].next = head
				}
				s.head[l.state], numbers[id] = id, k
			}
			var stay []int
			for id := s.head[state{code: 7}]; id >= 0; id = s.all[id].next {
				stay = append(stay, numbers[id])
				if s.all[id].gone {
					t.Errorf("label %d is gone and still in its state", numbers[id])
				}
			}
			if !slices.Equal(stay, c.stay) {
				t.Errorf("labels %v stay, want %v", stay, c.stay)
			}
			for id := int32(first); id < int32(len(s.all)); id++ {
				if s.all[id].gone == slices.Contains(c.stay, numbers[id]) {
					t.Errorf("label %d: gone is %v", numbers[id], s.all[id].gone)
				}
			}
		})
	}
}
