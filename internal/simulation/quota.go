package simulation

import "math"

// quota is how much of a period a control group may run: CFS bandwidth control, as
// kernel/sched/fair.c of Linux has it. A processor takes what it runs from the quota in one piece,
// and keeps it beyond the period. That all is used up is seen at a tick, or when something
// begins or ends; what was run beyond it is taken from the next periods. The zero value is no limit.
type quota struct {
	seconds, period float64
	pool            float64 // what is left of this period's
	taken           float64 // of it and not run yet; negative where too much was run
	periodEnd       float64
	throttled       bool
}

// leftover is what a processor that falls idle keeps of what it has taken (min_cfs_rq_runtime).
const leftover = 0.001

// used counts what was run.
func (q *quota) used(seconds float64) {
	if q.period == 0 {
		return
	}
	q.taken -= seconds
	q.take()
}

func (q *quota) take() {
	if q.taken <= tiny {
		q.taken, q.pool = q.taken+q.pool, 0
	}
}

// idle gives back what a processor does not keep.
func (q *quota) idle() {
	if back := q.taken - leftover; back > 0 {
		q.taken, q.pool = leftover, q.pool+back
	}
}

// renew begins new periods when it is time. Debts are paid first.
func (q *quota) renew(now float64) {
	if q.period == 0 || now < q.periodEnd-tiny {
		return
	}
	periods := 1 + math.Floor(max(0, now-q.periodEnd)/q.period)
	q.periodEnd += q.period * periods
	for ; periods > 0; periods-- {
		q.pool = q.seconds
		if q.taken >= 0 {
			break
		}
		paid := min(q.pool, -q.taken)
		q.taken, q.pool = q.taken+paid, q.pool-paid
	}
	if q.taken+q.pool > tiny {
		q.throttled = false
	}
}

// look stops the device if its quota is used up.
func (q *quota) look() {
	if q.period == 0 {
		return
	}
	q.take()
	q.throttled = q.throttled || q.taken <= tiny
}
