package solver

// weights says what stages and transfers cost in a relaxation.
type weights struct {
	stage func(c *class, i, j int) tuple // gateway transfers included
	move  func(l *link, pos int) tuple
}

// tieWeights are what ties are decided by: bytes to move, latency, stages.
func (m *model) tieWeights() weights {
	hop := func(l *link, pos int) int64 {
		if l.free {
			return 0
		}
		return l.ps(m.bytes[pos]) + l.wait
	}
	return weights{
		stage: func(c *class, i, j int) tuple {
			wait := m.stagePS(c, i, j)
			if i == 0 {
				wait += hop(&c.enter, 0)
			}
			if j == m.end {
				wait += hop(&c.leave, m.end)
			}
			return tuple{c.lacks[j] - c.lacks[i], wait, 1}
		},
		move: func(l *link, pos int) tuple { return tuple{0, hop(l, pos), 0} },
	}
}

// netWeights are what adds to one sum.
func (m *model) netWeights(net int) weights {
	return m.loadWeights(
		func(l *link, pos int) int64 { return l.onNet(net, m.bytes[pos]) },
		func(c *class, ps int64) int64 { return c.onNet(net, ps) })
}

// allNetWeights are what adds to all sums together.
func (m *model) allNetWeights() weights {
	return m.loadWeights(
		func(l *link, pos int) (all int64) {
			for net := range m.nets {
				all += l.onNet(net, m.bytes[pos])
			}
			return all
		},
		func(c *class, ps int64) int64 { return c.onNet(max(0, c.sum), ps) })
}

func (m *model) loadWeights(load func(l *link, pos int) int64, stage func(c *class, ps int64) int64) weights {
	return weights{
		stage: func(c *class, i, j int) tuple {
			ps := stage(c, m.stagePS(c, i, j))
			if i == 0 {
				ps += load(&c.enter, 0)
			}
			if j == m.end {
				ps += load(&c.leave, m.end)
			}
			return tuple{ps, 0, 0}
		},
		move: func(l *link, pos int) tuple { return tuple{load(l, pos), 0, 0} },
	}
}

// countWeights count stages.
func countWeights() weights {
	return weights{
		stage: func(*class, int, int) tuple { return tuple{1, 0, 0} },
		move:  func(*link, int) tuple { return tuple{} },
	}
}
