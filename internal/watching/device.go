package watching

import "time"

// device is what is remembered of one device.
type device struct {
	seen     Seen
	excluded bool

	// bad grows while the device is gone or ill, and shrinks half as fast while it is
	// well. So a device that is gone for the grace time leaves, and so does one that
	// comes and goes and is gone for more than a third of the time.
	bad  time.Duration
	good time.Duration // for how long it has been well without a break
	slow time.Duration // for how long it was too slow

	strikes int // how often it has left lately; each doubles the time to settle
	repairs int // how often its worker was repaired lately
}

// How often a worker is repaired before its device leaves, how many strikes a device gets that
// was too slow (it answers all the time, so that only the time to settle keeps it out),
// and how many times of settling it must be well to be forgiven.
const (
	mostRepairs = 2
	slowStrikes = 4
	forgiven    = 8
)

func (d *device) observe(seen Seen, step time.Duration, s Settings) {
	d.seen = seen
	if seen.Health == Well {
		d.bad, d.good = max(0, d.bad-step/2), d.good+step
	} else {
		d.bad, d.good = min(d.bad+step, 2*s.Grace), 0
	}
	switch {
	case seen.Health != Well:
		d.slow = 0 // it is ill or gone, and not slow
	case seen.Measured && seen.Slow:
		d.slow += step
	case seen.Measured:
		d.slow = 0
	}
	if !d.excluded && d.good >= forgiven*d.settleTime(s) {
		d.strikes, d.repairs = 0, 0
	}
	if !d.excluded && !seen.InUse && seen.Health == Away && d.bad >= s.Grace {
		d.leave() // nothing is there that would have to go elsewhere
	}
}

// leaves says whether the device is to be left out.
func (d *device) leaves(s Settings) bool {
	if !d.seen.InUse {
		return false
	}
	gone := d.bad >= s.Grace && (d.seen.Health == Away || d.seen.Health == Ill && d.repairs >= mostRepairs)
	return gone || s.Slow > 0 && d.slow >= s.Slow
}

// toRepair says whether its worker has been ill for long enough.
func (d *device) toRepair(s Settings) bool {
	return d.seen.InUse && d.seen.Health == Ill && d.bad >= s.Grace
}

// settled says whether a device that is left out has been well for long enough.
func (d *device) settled(s Settings) bool {
	return d.seen.Health == Well && d.good >= d.settleTime(s)
}

// spare says whether a device could be used that has not left lately.
func (d *device) spare() bool { return d.seen.Health == Well && d.strikes == 0 }

// settleTime doubles with every time that the device has left lately.
func (d *device) settleTime(s Settings) time.Duration {
	wait := s.Settle
	for range d.strikes - 1 {
		if wait *= 2; wait >= longestSettle {
			return max(s.Settle, longestSettle)
		}
	}
	return wait
}

func (d *device) leave() {
	if d.strikes++; d.slow > 0 {
		d.strikes = max(d.strikes, slowStrikes)
	}
	d.excluded, d.good, d.slow = true, 0, 0
}

func (d *device) comeBack() { d.excluded, d.bad, d.good = false, 0, 0 }

// repaired takes in that its worker was started again, or could not be.
func (d *device) repaired(done bool) {
	if d.repairs++; done {
		d.bad = 0
	}
}
