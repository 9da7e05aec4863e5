package solver

// The cheapest walks under prices: each chain by itself, over every use of a node.

// move is what a transfer pays, never where there is none.
func (t *chainPrices) move(i, u, v int) (paid int64) {
	at := i*t.j.n*t.j.n + u*t.j.n + v
	if !t.up[at] {
		return never
	}
	for _, m := range t.moves[at] {
		paid += t.prices[m.resource] * int64(m.part)
	}
	return paid
}

// enter and leave are what the gateway's transfers pay.
func (t *chainPrices) enter(v int) int64 {
	if t.c.hop(-1, v) == nil {
		return 0
	}
	return t.move(0, t.c.gate, v)
}

func (t *chainPrices) leave(v int) int64 {
	if t.c.last(v) == nil {
		return 0
	}
	return t.move(t.c.m.end, v, t.c.gate)
}

// pays is what a stage pays: time, memory and the visit.
func (t *chainPrices) pays(v int, e use) int64 {
	return t.prices[v]*int64(e.time) + t.prices[t.memory+v]*int64(e.memory) + t.prices[t.node+v]*useParts
}

// into is what the transfer of cut i into a stage on v from u pays; u is -1 for the
// first stage.
func (t *chainPrices) into(u, v, i int) int64 {
	if u < 0 {
		return t.enter(v)
	}
	return t.move(i, u, v)
}

// stage is what a stage on v from i to end and the transfer into it from u pay.
func (t *chainPrices) stage(u, v, i, end int) int64 {
	paid := t.into(u, v, i)
	for _, e := range t.ends[i*t.j.n+v] {
		if int(e.end) == end {
			return paid + t.pays(v, e)
		}
	}
	return never
}

// walk finds the cheapest walk and what it pays.
func (t *chainPrices) walk(prices []int64) (paid int64, first, work int) {
	n, end := t.j.n, t.c.m.end
	t.prices = prices
	for v := range n {
		t.ended[end*n+v] = t.leave(v)
	}
	for i := end - 1; i >= 0; i-- {
		for v := range n {
			best := never
			for _, e := range t.ends[i*n+v] {
				if rest := t.ended[int(e.end)*n+v]; rest < never {
					if x := rest + t.pays(v, e); x < best {
						best, t.end[i*n+v] = x, e.end
					}
				}
			}
			t.start[i*n+v] = best
			work += len(t.ends[i*n+v])
		}
		if i > 0 {
			t.fillEnded(i)
			work += n * n
		}
	}
	paid = never
	for v := range n {
		if x := t.start[v]; x < never {
			if x += t.enter(v); x < paid {
				paid, first = x, v
			}
		}
	}
	return paid, first, work
}

func (t *chainPrices) fillEnded(i int) {
	n := t.j.n
	for u := range n {
		best := never
		for v := range n {
			if start := t.start[i*n+v]; v != u && start < best {
				if x := start + t.move(i, u, v); x < best {
					best, t.next[i*n+u] = x, int32(v)
				}
			}
		}
		t.ended[i*n+u] = best
	}
}

// way is the walk that begins on a node.
func (t *chainPrices) way(first int) []stop {
	var out []stop
	n := t.j.n
	for v, i := first, 0; ; v = int(t.next[i*n+v]) {
		i = int(t.end[i*n+v])
		out = append(out, stop{v, i})
		if i == t.c.m.end {
			return out
		}
	}
}

// add counts what a walk uses.
func (t *chainPrices) add(way []stop, used []int64) {
	before, i := -1, 0
	move := func(i, u, v int) {
		for _, m := range t.moves[i*t.j.n*t.j.n+u*t.j.n+v] {
			used[m.resource] += int64(m.part)
		}
	}
	for _, st := range way {
		if before >= 0 {
			move(i, before, st.node)
		} else if t.c.hop(-1, st.node) != nil {
			move(0, t.c.gate, st.node)
		}
		for _, e := range t.ends[i*t.j.n+st.node] {
			if int(e.end) == st.end {
				used[st.node] += int64(e.time)
				used[t.memory+st.node] += int64(e.memory)
				used[t.node+st.node] += useParts
			}
		}
		before, i = st.node, st.end
	}
	if t.c.last(before) != nil {
		move(i, before, t.c.gate)
	}
}
