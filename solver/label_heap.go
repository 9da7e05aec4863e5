package solver

import "cmp"

// labelHeap orders labels by key. Among equal keys the one that is less far
// comes first, so that a state is taken when all ways into it are known.
type labelHeap []int32

func before(all []label, a, b int32) bool {
	x, y := &all[a], &all[b]
	if x.key != y.key {
		return x.key.less(y.key)
	}
	return cmp.Or(cmp.Compare(x.rank(), y.rank()), cmp.Compare(a, b)) < 0
}

// rank is how far a label is: stages that have ended at a position come before
// those that start there.
func (l *label) rank() int32 {
	if l.ended {
		return l.pos << 1
	}
	return l.pos<<1 | 1
}

func (h *labelHeap) push(all []label, id int32) {
	*h = append(*h, id)
	q := *h
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !before(all, q[i], q[up]) {
			return
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (h *labelHeap) pop(all []label) int32 {
	q := *h
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	*h = q
	for i := 0; ; {
		least := i
		for _, k := range [2]int{2*i + 1, 2*i + 2} {
			if k < last && before(all, q[k], q[least]) {
				least = k
			}
		}
		if least == i {
			return top
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}
