package simulation

// level is a number over time: of a queue, for its mean and its most. What comes and goes
// at one moment does not count.
type level struct {
	n, most    int
	area, last float64
}

func (l *level) add(now float64, change int) { l.set(now, l.n+change) }

func (l *level) set(now float64, n int) {
	if now > l.last {
		l.area += float64(l.n) * (now - l.last)
		l.most = max(l.most, l.n)
	}
	l.last, l.n = now, n
}

// reset forgets what was before now.
func (l *level) reset(now float64) { l.area, l.last, l.most = 0, now, 0 }

// result is the level from its last reset to now.
func (l *level) result(since, now float64) Level {
	l.set(now, l.n)
	return Level{Mean: per(l.area, now-since), Most: l.most}
}
