package simulation

import "slices"

// sharing serves jobs side by side, each as fast as any other and none faster than alone:
// a processor under a fair scheduler, or a medium under TCP (processor sharing). Instead
// of every job it moves one clock, the seconds of service that a job present all along
// would have got, so a job costs O(log n).
type sharing struct {
	run   *run
	width float64 // how many jobs get full speed at once

	service float64 // the clock
	last    float64 // when it was last moved
	jobs    []job   // a heap in order of end
	seq     uint64
	gen     uint32  // of the scheduled event
	busy    float64 // seconds of service given, over all jobs

	burst, saved float64 // of a shaper: how much passes at once at most, and now
}

type job struct {
	end  float64 // by the clock
	seq  uint64
	to   target
	m    *message
	gen  uint32
	kind kind
}

func (j *job) before(other *job) bool {
	return j.end < other.end || j.end == other.end && j.seq < other.seq
}

// speed is how fast the clock goes.
func (s *sharing) speed() float64 {
	return min(1, s.width/float64(len(s.jobs)))
}

// move brings the clock to now.
func (s *sharing) move() {
	now := s.run.now
	if len(s.jobs) > 0 {
		given := (now - s.last) * s.speed()
		s.service += given
		s.busy += given * float64(len(s.jobs))
	} else {
		s.service = 0
		s.saved = min(s.burst, s.saved+now-s.last)
	}
	s.last = now
}

// add starts a job of some seconds; to hears of its end.
func (s *sharing) add(seconds float64, to target, kind kind, m *message, gen uint32) {
	s.move()
	free := min(s.saved, seconds)
	s.saved, seconds = s.saved-free, seconds-free
	s.busy += free
	s.seq++
	s.jobs = append(s.jobs, job{end: s.service + seconds, seq: s.seq, to: to, m: m, gen: gen, kind: kind})
	s.up(len(s.jobs) - 1)
	s.schedule()
}

// fire ends the job that is due.
func (s *sharing) fire(_ kind, _ *message, gen uint32) {
	if gen != s.gen {
		return
	}
	s.move()
	j := s.jobs[0]
	s.service = j.end // without the rounding of the way there
	s.drop(0)
	s.schedule()
	j.to.fire(j.kind, j.m, j.gen)
}

// tiny is less than any time that counts, and more than rounding.
const tiny = 1e-12

// schedule announces the end of the next job.
func (s *sharing) schedule() {
	s.gen++
	if len(s.jobs) > 0 {
		at := s.last + max(0, s.jobs[0].end-s.service)/s.speed()
		s.run.calendar.add(event{at: at, to: s, kind: nextJob, gen: s.gen})
	}
}

// cancel drops the jobs of a target, or all if it is nil.
func (s *sharing) cancel(to target) {
	s.move()
	s.jobs = slices.DeleteFunc(s.jobs, func(j job) bool { return to == nil || j.to == to })
	for i := len(s.jobs)/2 - 1; i >= 0; i-- {
		s.down(i)
	}
	s.schedule()
}

func (s *sharing) drop(i int) {
	n := len(s.jobs) - 1
	s.jobs[i] = s.jobs[n]
	s.jobs[n] = job{}
	s.jobs = s.jobs[:n]
	if i < n {
		s.down(i)
	}
}

func (s *sharing) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s.jobs[parent].before(&s.jobs[i]) {
			return
		}
		s.jobs[parent], s.jobs[i] = s.jobs[i], s.jobs[parent]
		i = parent
	}
}

func (s *sharing) down(i int) {
	for n := len(s.jobs); ; {
		least := i
		for child := 2*i + 1; child < min(2*i+3, n); child++ {
			if s.jobs[child].before(&s.jobs[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		s.jobs[least], s.jobs[i] = s.jobs[i], s.jobs[least]
		i = least
	}
}

// reset forgets how much service it gave.
func (s *sharing) reset() {
	s.move()
	s.busy = 0
}

// used is the share of the time that it was busy.
func (s *sharing) used(seconds float64) float64 {
	s.move()
	return per(s.busy, seconds*s.width)
}
