package simulation

import (
	"errors"
	"fmt"
	"math"
)

// check finds what no run can begin with.
func (s *System) check(o Options) error {
	errs := []error{o.check()}
	if len(s.Models) == 0 {
		errs = append(errs, errors.New("there is no model to simulate"))
	}
	for i, d := range s.Devices {
		if err := d.check(); err != nil {
			errs = append(errs, fmt.Errorf("device %d: %w", i, err))
		}
	}
	for i, m := range s.Media {
		if !number(m.BurstSeconds) {
			errs = append(errs, fmt.Errorf("medium %d: its burst is %v", i, m.BurstSeconds))
		}
	}
	for i, m := range s.Models {
		if err := s.checkModel(m); err != nil {
			errs = append(errs, fmt.Errorf("model %d: %w", i, err))
		}
	}
	return errors.Join(append(errs, s.checkLosses())...)
}

func (o Options) check() error {
	if !number(o.Seconds) || o.Requests < 0 || o.Seconds == 0 && o.Requests == 0 {
		return fmt.Errorf("a run needs an end: a time or a number of requests, and these are %v s and %d", o.Seconds, o.Requests)
	}
	return nil
}

func (d Device) check() error {
	switch {
	case !number(d.Cores) || !number(d.MessageSeconds) || !number(d.ByteSeconds):
		return errors.New("its cores and its times are finite and not negative")
	case !number(d.PeriodSeconds) || !number(d.QuotaSeconds) || !number(d.TickSeconds) || (d.PeriodSeconds > 0) != (d.QuotaSeconds > 0):
		return errors.New("a quota has a period, and both are finite")
	case d.TickSeconds == 0 && d.QuotaSeconds > 0 || d.TickSeconds > 0 && cores(d) != 1:
		return errors.New("a quota needs ticks, and ticks are of one core")
	}
	return nil
}

func (s *System) checkModel(m Model) error {
	switch {
	case len(m.Stages) == 0:
		return errors.New("it has no stage")
	case len(m.Hops) != len(m.Stages)+1:
		return fmt.Errorf("it has %d stages and %d hops; one more than stages is needed", len(m.Stages), len(m.Hops))
	case m.Queue < 1:
		return fmt.Errorf("its queue is %d; 1 is the least", m.Queue)
	case m.Gateway < -1 || m.Gateway >= len(s.Devices):
		return fmt.Errorf("its gateway, device %d, does not exist", m.Gateway)
	case !number(m.TimeoutSeconds):
		return fmt.Errorf("its timeout is %v", m.TimeoutSeconds)
	case m.Load.Concurrency < 1 || !number(m.Load.Rate):
		return fmt.Errorf("its load is %d requests at once and %v per second", m.Load.Concurrency, m.Load.Rate)
	}
	return errors.Join(s.checkStages(m), s.checkHops(m), s.checkTime(m))
}

func (s *System) checkStages(m Model) error {
	for i, st := range m.Stages {
		if st.Device < 0 || st.Device >= len(s.Devices) || !number(st.Seconds) || !number(st.Jitter) {
			return fmt.Errorf("stage %d is no stage: %+v", i, st)
		}
	}
	return nil
}

func (s *System) checkHops(m Model) error {
	for i, h := range m.Hops {
		if h.Bytes < 0 || !number(h.LatencySeconds) || !number(h.Jitter) {
			return fmt.Errorf("hop %d is no hop: %+v", i, h)
		}
		if h.Local && i > 0 && i < len(m.Stages) {
			return fmt.Errorf("hop %d is local: only the gateway shares a process with a stage", i)
		}
		for _, use := range h.Uses {
			if use.Medium < 0 || use.Medium >= len(s.Media) || !number(use.Seconds) {
				return fmt.Errorf("hop %d uses medium %d for %v s", i, use.Medium, use.Seconds)
			}
		}
	}
	return nil
}

// checkTime refuses a pipeline in which time stands still.
func (s *System) checkTime(m Model) error {
	total := 0.0
	for _, st := range m.Stages {
		total += st.Seconds
	}
	for _, h := range m.Hops {
		total += h.LatencySeconds
		for _, use := range h.Uses {
			total += use.Seconds
		}
	}
	if total < tiny {
		return errors.New("a request takes no time at all, so there is nothing to simulate")
	}
	return nil
}

func (s *System) checkLosses() error {
	for i, l := range s.Losses {
		if l.Device < 0 || l.Device >= len(s.Devices) || !number(l.AtSeconds) || !number(l.Seconds) || l.Seconds == 0 {
			return fmt.Errorf("loss %d is no loss: %+v", i, l)
		}
		for _, other := range s.Losses[:i] {
			if other.Device == l.Device && l.AtSeconds <= other.AtSeconds+other.Seconds && other.AtSeconds <= l.AtSeconds+l.Seconds {
				return fmt.Errorf("device %d is lost while it is away already", l.Device)
			}
		}
	}
	return nil
}

// number says that x is finite and not negative.
func number(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
