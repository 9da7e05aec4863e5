package simulation

import "slices"

// Result is what a run gave after its warm-up.
type Result struct {
	Seconds float64 // simulated
	Events  int64   // of the whole run: what the simulation itself costs
	Models  []ModelResult
	// Devices and Media are busy for these shares of the time: 1 is a processor, or a
	// medium, without a pause.
	Devices, Media []float64
}

// ModelResult is what one model reached.
type ModelResult struct {
	Answered, Failed int
	Retries          int       // attempts beyond the first
	Latencies        []float64 // of the answered, from when each was due; ascending
	Throughput       float64   // answers per second
	Present          Level     // requests that were due and not answered
	Stages           []StageResult
	Hops             []HopResult
}

// StageResult is what one stage did. Means are over requests.
type StageResult struct {
	Utilisation    float64 // share of the time that the engine ran
	ComputeSeconds float64 // mean in the engine
	WaitSeconds    float64 // mean in the queue before it
	SentBytes      float64 // per second, by the hop behind it
	Queue          Level
}

// HopResult is what one hop did.
type HopResult struct {
	TransferSeconds float64 // mean
	Utilisation     float64 // share of the time that a transfer was under way
	Queue           Level
}

// Level is a number over time.
type Level struct {
	Mean float64
	Most int
}

// Quantile is the latency that a share q of all answers does not exceed: the nearest rank.
// It is 0 when there is no answer.
func (m *ModelResult) Quantile(q float64) float64 {
	n := len(m.Latencies)
	if n == 0 {
		return 0
	}
	rank := int(q * float64(n))
	if float64(rank) < q*float64(n) {
		rank++
	}
	return m.Latencies[min(max(rank, 1), n)-1]
}

func (r *run) result() *Result {
	out := &Result{Seconds: r.now - r.since, Events: r.events}
	for _, d := range r.devices {
		out.Devices = append(out.Devices, d.used(out.Seconds))
	}
	for _, m := range r.media {
		out.Media = append(out.Media, m.used(out.Seconds))
	}
	for _, p := range r.lines {
		out.Models = append(out.Models, p.result(out.Seconds))
	}
	return out
}

// per is x / y, and 0 where there is no y.
func per(x, y float64) float64 {
	if y <= 0 {
		return 0
	}
	return x / y
}

func (p *pipeline) result(seconds float64) ModelResult {
	g := &p.gateway
	slices.Sort(g.latencies)
	m := ModelResult{Answered: g.answered, Failed: g.failed, Retries: g.retries, Latencies: g.latencies,
		Throughput: per(float64(g.answered), seconds), Present: p.levelOf(&g.present)}
	for i, s := range p.stages {
		next := p.hops[i+1]
		m.Stages = append(m.Stages, StageResult{
			Utilisation: per(s.computed(), seconds), ComputeSeconds: per(s.compute, float64(s.runs)), WaitSeconds: per(s.wait, float64(s.runs)),
			SentBytes: per(float64(next.transfers)*float64(next.Bytes), seconds), Queue: p.levelOf(&s.length),
		})
	}
	for _, h := range p.hops {
		m.Hops = append(m.Hops, HopResult{TransferSeconds: per(h.transfer, float64(h.transfers)),
			Utilisation: per(h.transfer, seconds), Queue: p.levelOf(&h.length)})
	}
	return m
}

func (p *pipeline) levelOf(l *level) Level {
	return l.result(p.run.since, p.run.now)
}
