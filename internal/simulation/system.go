// Package simulation runs the pipeline of edgeplan's workers as a discrete-event
// simulation: what throughput and latency a placement reaches once queues, shared
// media, jitter and lost devices are counted, which a bottleneck alone does not say.
//
// It knows no ONNX, no HCL and no SSH: a System is dense ints and floats. What is
// simulated is what package worker does, part by part; docs/simulate.md says what is
// modelled and what is not. The same system, options and seed give the same result.
package simulation

import "fmt"

// System is a cluster with the pipelines that run on it. Times are in seconds.
type System struct {
	Devices []Device
	Media   []Medium
	Models  []Model
	Losses  []Loss
}

// Device is one processor that all its stages, and the sending and receiving of their
// tensors, share evenly.
type Device struct {
	// Cores is how many things run at full speed at once; 0 stands for 1, as a plan
	// counts: what a device is busy adds up.
	Cores float64
	// MessageSeconds and ByteSeconds are the processor time of one message, and of each
	// byte of it, that is sent to or received from another device.
	MessageSeconds, ByteSeconds float64
	// TickSeconds makes it one processor that does one thing at a time and looks at its ticks
	// what is next, as a kernel does; 0 shares it evenly at every moment.
	TickSeconds float64
	// Of every PeriodSeconds the device runs QuotaSeconds at the most, all at once, and
	// then stands still: the limit of a control group, which needs ticks, since a kernel looks at
	// them whether the quota is used up. What was run beyond it is taken from the next
	// period. 0 is no limit.
	PeriodSeconds, QuotaSeconds float64
}

// Medium is what transfers share evenly: one direction of a link, a radio channel, or one
// direction of a device's interface.
type Medium struct {
	// BurstSeconds is the work that passes at once after a pause at least as long: what the
	// bucket of a traffic shaper holds.
	BurstSeconds float64
}

// Model is a pipeline of S stages.
type Model struct {
	// Gateway is the device where requests enter and results leave; -1 is none, whose
	// work takes nobody's time.
	Gateway int
	// Queue is how many messages wait before each engine, and how many before each
	// transfer.
	Queue int
	// Requests are how many the gateway holds at most; 0 is no bound.
	Requests int
	// TimeoutSeconds bounds a request from entry to answer; 0 is no bound.
	TimeoutSeconds float64
	Stages         []Stage
	// Hops has S+1 entries: hop i leads into stage i, and hop S back to the gateway.
	Hops []Hop
	Load Load
}

// Stage is a slice on a device.
type Stage struct {
	Device  int
	Seconds float64 // of one run of the engine that has the device to itself, the mean
	// Jitter is the standard deviation of the runs as a share of their mean.
	Jitter float64
}

// Hop is the way of a cut from one part of the pipeline to the next.
type Hop struct {
	// Local says that both ends are one process: nothing travels and nothing waits.
	Local bool
	Bytes int64
	// Uses are the media that a transfer takes, each at its own pace; it ends with the
	// slowest.
	Uses           []Use
	LatencySeconds float64 // of propagation, one way
	// Jitter is the standard deviation of the transfer times as a share of their mean.
	Jitter float64
}

// Use is a medium for the seconds that a transfer takes when it is alone there.
type Use struct {
	Medium  int
	Seconds float64
}

// Load is how requests come to a model.
type Load struct {
	// Concurrency is how many requests are without an answer at once: always in a
	// closed loop, at most in an open one.
	Concurrency int
	// Rate in requests per second makes an open loop, in which requests come whether or
	// not earlier ones are answered; 0 is a closed loop.
	Rate float64
	// Even lets an open loop send at even distances; else requests come at random and
	// independently, a Poisson process.
	Even bool
}

func (l Load) String() string {
	if l.Rate > 0 {
		return fmt.Sprintf("open, %.1f/s", l.Rate)
	}
	return fmt.Sprintf("closed, %d", l.Concurrency)
}

// Loss is a device that is away: what it had in hand is gone, and nothing reaches it until
// it comes back with nothing.
type Loss struct {
	Device    int
	AtSeconds float64 // from the beginning of the run
	Seconds   float64 // until its workers take connections again
}

// Options of Run. The first tenth of a run, in seconds or in requests, is warm-up, and
// does not count.
type Options struct {
	Seed uint64
	// Seconds ends the run after a time; 0 is never. Times of Losses count from the
	// beginning of the run, warm-up included.
	Seconds float64
	// Requests ends the run once so many requests of all models together have got an
	// answer or failed; 0 is never.
	Requests int
}
