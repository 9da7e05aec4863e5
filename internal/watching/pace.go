package watching

import "time"

// pace keeps changes apart, and attempts that fail ever further.
type pace struct {
	period time.Duration

	changed  bool
	last     time.Duration // of the last change
	tried    Decision      // the last decision that failed or was proposed
	failures int           // in a row
	retry    time.Duration // when it may be tried again
	proposed bool          // it waits for somebody
}

// allows says whether something may be done now. Another decision than the one that
// failed has waited long enough after the first pause.
func (p *pace) allows(now time.Duration, d Decision) bool {
	if p.changed && now < p.last+p.period {
		return false
	}
	same := p.tried.equal(d)
	switch {
	case p.proposed && same:
		return false
	case p.failures > 0 && same:
		return now >= p.retry
	case p.failures > 0:
		return now >= p.retry-p.pause()+firstRetry
	}
	return true
}

// pause is how long to wait after so many failures.
func (p *pace) pause() time.Duration {
	wait := firstRetry
	for range p.failures - 1 {
		if wait *= 2; wait >= longestRetry {
			return longestRetry
		}
	}
	return wait
}

func (p *pace) done(now time.Duration, d Decision, outcome Outcome) {
	switch outcome {
	case Failed, NoPlan:
		p.failures++
		p.retry, p.tried, p.proposed = now+p.pause(), d, false
		return
	case Proposed:
		p.tried, p.proposed = d, true
	case Changed:
		p.changed, p.last = true, now
	}
	p.failures = 0
	p.proposed = outcome == Proposed
}

// forget takes in that the world is another one: what failed or was proposed is to be
// thought of anew.
func (p *pace) forget() { p.failures, p.proposed = 0, false }
