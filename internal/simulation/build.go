package simulation

import (
	"math"
	"slices"
)

// golden spreads any number of phases.
const golden = 0.6180339887498949

// newRun makes the parts of a system that is known to be valid.
func newRun(s *System, o Options) *run {
	r := &run{Options: o}
	for v, d := range s.Devices {
		_, phase := math.Modf(golden * float64(v)) // devices do not begin their periods together
		r.devices = append(r.devices, &device{Device: d, server: r.newServer(d, phase)})
	}
	for _, m := range s.Media {
		r.media = append(r.media, &sharing{run: r, width: 1, burst: m.BurstSeconds, saved: m.BurstSeconds})
	}
	for i, m := range s.Models {
		r.lines = append(r.lines, r.newPipeline(i, m))
	}
	for _, l := range s.Losses {
		x := &outage{Loss: l, run: r}
		r.at(l.AtSeconds, x, deviceLost, nil, 0)
		r.at(l.AtSeconds+l.Seconds, x, deviceBack, nil, 0)
	}
	if o.Seconds > 0 {
		r.at(warmUp*o.Seconds, r, warm, nil, 0)
		r.at(o.Seconds, r, ended, nil, 0)
	}
	return r
}

func (r *run) newServer(d Device, phase float64) server {
	if d.TickSeconds == 0 {
		return &sharing{run: r, width: cores(d)}
	}
	limit := quota{seconds: d.QuotaSeconds, period: d.PeriodSeconds, pool: d.QuotaSeconds, periodEnd: d.PeriodSeconds * (1 - phase)}
	return &processor{run: r, tick: d.TickSeconds, quota: limit}
}

func cores(d Device) float64 {
	if d.Cores == 0 {
		return 1
	}
	return d.Cores
}

func (r *run) device(v int) *device {
	if v < 0 {
		return nil
	}
	return r.devices[v]
}

func (r *run) newPipeline(i int, m Model) *pipeline {
	p := &pipeline{Model: m, run: r}
	p.gateway = gateway{line: p, device: r.device(m.Gateway), free: InFlight(len(m.Stages), m.Queue, m.Requests),
		load: load{Load: m.Load, pauses: m.Load.Pauses(r.Seed, i)}}
	at := m.Gateway
	for k, h := range m.Hops {
		to := m.Gateway
		if k < len(m.Stages) {
			st := m.Stages[k]
			to = st.Device
			p.stages = append(p.stages, &stage{Stage: st, line: p, at: k, device: r.device(to),
				factor: st.Factors(r.Seed, i, k)})
		}
		p.hops = append(p.hops, p.newHop(i, k, h, at, to))
		at = to
	}
	return p
}

func (p *pipeline) newHop(model, k int, h Hop, from, to int) *hop {
	out := &hop{Hop: h, line: p, at: k, from: p.run.device(from), to: p.run.device(to), handed: handed(h.Bytes),
		unread: unread(h.Bytes), jitter: newJitter(randomOf(p.run.Seed, model, 2*k+2), h.Jitter)}
	for _, use := range h.Uses {
		out.media = append(out.media, p.run.media[use.Medium])
	}
	out.limit()
	return out
}

// limit lets a far receiver get no more than a window in a round trip.
func (h *hop) limit() {
	seconds := float64(h.Bytes) * 2 * h.LatencySeconds / float64(Window(h.Bytes))
	if seconds > 0 {
		h.Uses = append(slices.Clip(h.Uses), Use{Seconds: seconds})
		h.media = append(h.media, &sharing{run: h.line.run, width: 1})
	}
}

// unread is how many messages of a size a receiver takes before it has read them.
func unread(bytes int64) int { return int(max(1, Window(bytes)/max(1, bytes))) }
