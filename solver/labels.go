package solver

// The best placement within a threshold, by labels.
//
// A label is the beginning of a placement: which nodes are taken, the last one,
// the position, and what it cost so far. The search takes the most promising
// label first (A*, Hart, Nilsson and Raphael, IEEE SSC 4, 1968): its cost plus
// what the rest costs at least by the relaxation of relax.go. Of two labels in
// one state the one that is worse in everything is dropped, as in label-setting
// for shortest paths with resources (Desrochers and Soumis, INFOR 26, 1988): the
// resources are the shared networks. Labels that cannot be completed within the
// threshold, by the exact sets of completion.go, never come to be.
//
// It serves two questions: the least load of the busiest shared network
// (ties = false), and, with the bottleneck settled, the best of all ties.
type labels struct {
	k    *completion
	m    *model
	ties bool
	// limit ends the search: nothing costlier is looked at. netLimit bounds the
	// load of every shared network.
	limit    tuple
	netLimit int64
	above    int64 // the least load over netLimit that was turned away

	rest    *least   // what the rest costs at least; ties only
	restNet []*least // what it loads each network with at least
	restAll *least   // what it loads all of them together with at least
	weigh   weights
	netW    []weights

	all  []label
	sums []int64 // nets numbers for each label
	head map[state]int32
	open labelHeap
	full bool // maxLabels was reached
}

// state is where a label stands; class and kind of step are packed.
type state struct{ code, place int32 }

type label struct {
	key    tuple // cost with what the rest costs at least
	cost   tuple
	state  state
	pos    int32
	class  int32
	ended  bool  // a stage has ended here; else one starts here
	gone   bool  // dominated
	parent int32 // -1 at the beginning
	next   int32 // of the same state
	// Without overlap: how long the node of the last stage is busy so far, and
	// the busiest node of all.
	busy, peak int64
}

// maxLabels bounds memory to about one gibibyte.
const maxLabels = 1 << 23

func newLabels(k *completion, ties bool, limit tuple, netLimit int64) *labels {
	m := k.t.m
	s := &labels{k: k, m: m, ties: ties, limit: limit, netLimit: netLimit, above: never, weigh: m.tieWeights(), head: map[state]int32{}}
	if ties {
		s.rest = k.t.relax(s.weigh)
	}
	for net := range m.nets {
		s.netW = append(s.netW, m.netWeights(net))
		s.restNet = append(s.restNet, k.t.relax(s.netW[net]))
	}
	if m.nets > 1 {
		s.restAll = k.t.relax(m.allNetWeights())
	}
	return s
}

// best finds the best path. Without one, and with done true, there is none
// within the limits: proven.
func (s *labels) best(b *budget) (way path, done bool) {
	for d := range s.m.classes {
		if s.k.start.at(0, d).has(0) {
			s.push(-1, label{state: state{code: int32(s.k.u.stride[d])}, class: int32(d), parent: -1})
		}
	}
	found := int32(-1)
	for len(s.open) > 0 {
		if !b.spend(1) || s.full {
			return nil, false
		}
		id := s.open.pop(s.all)
		l := s.all[id]
		switch {
		case l.gone:
		case found >= 0 && s.all[found].key.less(l.key):
			return s.trace(found), true
		case int(l.pos) == s.m.end:
			if found < 0 || s.ties && s.order(id, found) < 0 {
				found = id
			}
			if !s.ties {
				return s.trace(found), true
			}
		default:
			b.spend(s.expand(id))
		}
	}
	if found < 0 {
		return nil, true
	}
	return s.trace(found), true
}

// expand makes the labels one step further on and says how many it tried.
func (s *labels) expand(id int32) int {
	l := s.all[id]
	code, i, tried := int(l.state.code), int(l.pos), 0
	if !l.ended {
		ends, fits := s.k.t.ends[l.class][i], s.k.ended.at(code, int(l.class))
		for j := ends.next(i + 1); j >= 0; j = ends.next(j + 1) {
			if fits.has(j) {
				s.push(id, label{state: state{code: l.state.code}, pos: int32(j), class: l.class, ended: true, parent: id})
				tried++
			}
		}
		return tried
	}
	for d := range s.m.classes {
		if s.k.t.crosses(int(l.class), d, i) && s.k.u.count(code, d) < s.k.u.size[d] && s.k.start.at(code, d).has(i) {
			s.push(id, label{state: state{code: l.state.code + int32(s.k.u.stride[d])}, pos: l.pos, class: int32(d), parent: id})
			tried++
		}
	}
	return tried
}

// push costs a new label and keeps it unless it is over a limit or dominated.
func (s *labels) push(from int32, l label) {
	l.state.place = (l.class*int32(s.m.end+1) + l.pos) << 1
	if l.ended {
		l.state.place |= 1
	}
	at := len(s.sums)
	load, ok := s.loads(from, &l)
	if ok && s.ties {
		ok = s.tieCost(from, &l)
	} else if ok {
		l.key = tuple{load}
	}
	if !ok || s.limit.less(l.key) || len(s.all) == maxLabels {
		s.full = s.full || ok && len(s.all) == maxLabels
		s.sums = s.sums[:at]
		return
	}
	id := int32(len(s.all))
	s.all = append(s.all, l)
	if s.dominated(id) {
		s.all, s.sums = s.all[:id], s.sums[:at]
		return
	}
	first, some := s.head[l.state]
	if !some {
		first = -1
	}
	s.all[id].next = first
	s.head[l.state] = id
	s.open.push(s.all, id)
}

// extra is what the last step of a label costs by some weights.
func (s *labels) extra(w *weights, from int32, l *label) tuple {
	if from < 0 {
		return tuple{}
	}
	p := &s.all[from]
	if l.ended {
		return w.stage(&s.m.classes[l.class], int(p.pos), int(l.pos))
	}
	return w.move(&s.m.links[p.class][l.class], int(l.pos))
}

func (l *label) restOf(r *least) tuple {
	if l.ended {
		return r.ended[l.class][l.pos]
	}
	return r.start[l.class][l.pos]
}

func (s *labels) tieCost(from int32, l *label) bool {
	l.cost = s.extra(&s.weigh, from, l)
	if from >= 0 {
		l.cost = l.cost.plus(s.all[from].cost)
	}
	rest := l.restOf(s.rest)
	l.key = l.cost.plus(rest)
	return rest[0] < never
}

// loads appends the loads of the networks and gives the busiest one's load with
// what the rest adds at least.
func (s *labels) loads(from int32, l *label) (busiest int64, ok bool) {
	var all int64
	for net := range s.m.nets {
		sum := s.extra(&s.netW[net], from, l)[0]
		if from >= 0 {
			sum += s.sums[int(from)*s.m.nets+net]
		}
		s.sums = append(s.sums, sum)
		busiest = max(busiest, sum+l.restOf(s.restNet[net])[0])
		all += sum
	}
	if s.restAll != nil {
		// The busiest is no less than the average of all.
		n := int64(s.m.nets)
		busiest = max(busiest, (all+l.restOf(s.restAll)[0]+n-1)/n)
	}
	if s.m.serial {
		s.occupy(from, l)
		busiest = max(busiest, l.peak)
	}
	if busiest > s.netLimit {
		s.above = min(s.above, busiest)
		return busiest, false
	}
	return busiest, true
}

// occupy counts how long the node of a label's last stage is busy.
func (s *labels) occupy(from int32, l *label) {
	if from < 0 {
		return
	}
	before, m := &s.all[from], s.m
	c := &m.classes[l.class]
	if !l.ended {
		hop := m.links[before.class][l.class].ps(m.bytes[l.pos])
		l.busy, l.peak = hop, max(before.peak, before.busy+hop)
		return
	}
	l.busy = before.busy + m.stagePS(c, int(before.pos), int(l.pos))
	if before.pos == 0 {
		l.busy += c.enter.ps(m.bytes[0])
	}
	if int(l.pos) == m.end {
		l.busy += c.leave.ps(m.bytes[m.end])
	}
	l.peak = max(before.peak, l.busy)
	if int(l.pos) < m.end {
		l.peak = max(l.peak, l.busy+c.out[l.pos])
	}
}

// reason is why the search stopped early.
func (s *labels) reason(b *budget) string {
	if s.full {
		return "stopped after 8388608 labels, to bound memory"
	}
	return b.reason()
}
