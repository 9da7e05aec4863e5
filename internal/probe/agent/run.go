package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// How runs of a range are gathered.
const (
	leastRuns  = 5
	mostRuns   = 4000
	leastTime  = 0.25 // seconds of runs
	sampleTime = 1e-3 // seconds: shorter runs are timed some together

	// What more time and more runs than these do not mend is not noise of the runs.
	enoughTime, enoughRuns = 1.0, 25

	// Where a control group grants less than the device has, time passes in bursts, at full
	// speed and not at all. A mean over fewer periods than these depends on where it ends.
	leastPeriods, enoughPeriods = 50, 100
)

// Run is the process that runs a range: it reads a probe.RangeRequest, loads what is in the
// folder as a worker does, runs it on zeros, and prints a probe.RangeResult.
func Run(dir string, in io.Reader, out io.Writer) error {
	var request probe.RangeRequest
	if err := json.NewDecoder(io.LimitReader(in, probe.MaxLine)).Decode(&request); err != nil {
		return err
	}
	r, err := open(dir, request)
	if err != nil {
		return err
	}
	result, err := r.measure(request)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

// ranged is a range that is loaded.
type ranged struct {
	session *ort.Session
	inputs  []tensor.Tensor
	outputs []string
	load    time.Duration

	results [][]byte // of the run before
	taken   int      // how many of them the run that goes on has
}

// open loads as the worker does: prepacking stays off.
func open(dir string, request probe.RangeRequest) (*ranged, error) {
	begun := time.Now()
	level, err := ort.ParseLevel(request.Optimization)
	if err != nil {
		return nil, err
	}
	library, err := ort.Open(filepath.Join(dir, engineFile))
	if err != nil {
		return nil, err
	}
	session, err := library.NewSession(filepath.Join(dir, graphFile), ort.SessionOptions{Level: level, Threads: request.Threads})
	if err != nil {
		return nil, err
	}
	r := &ranged{session: session, load: time.Since(begun)}
	session.Allocate(r.take)
	return r, r.prepare(request)
}

// prepare makes inputs, and chooses what the engine computes: a tensor that passes
// through never meets it.
func (r *ranged) prepare(request probe.RangeRequest) error {
	for _, info := range r.session.Inputs() {
		at := slices.IndexFunc(request.Inputs, func(i tensor.Info) bool { return i.Name == info.Name })
		if at < 0 {
			return fmt.Errorf("the range needs the tensor %q, of which nothing is said", info.Name)
		}
		zeros, err := request.Inputs[at].Zeros()
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, zeros)
	}
	for _, info := range request.Outputs {
		if !slices.ContainsFunc(request.Inputs, func(i tensor.Info) bool { return i.Name == info.Name }) {
			r.outputs = append(r.outputs, info.Name)
		}
	}
	return nil
}

// take gives memory for the next result of a run: that of the run before, as a worker uses its memory
// again, too.
func (r *ranged) take(n int) []byte {
	at := r.taken
	r.taken++
	if at == len(r.results) {
		r.results = append(r.results, nil)
	}
	if len(r.results[at]) != n {
		r.results[at] = make([]byte, n)
	}
	return r.results[at]
}

// runs times some runs together and gives the seconds of one.
func (r *ranged) runs(n int) (float64, error) {
	begun := time.Now()
	for range n {
		r.taken = 0
		if _, err := r.session.Run(r.inputs, r.outputs); err != nil {
			return 0, err
		}
	}
	return time.Since(begun).Seconds() / float64(n), nil
}

// measure runs until the time is known well enough. The first runs take memory and read
// weights, and are not counted; what memory they took is what the range takes. Later
// ones add only what this process has not tidied up yet.
func (r *ranged) measure(request probe.RangeRequest) (probe.RangeResult, error) {
	result := probe.RangeResult{LoadSeconds: r.load.Seconds()}
	if len(r.outputs) == 0 { // everything passes through
		return result, nil
	}
	first, err := r.runs(1)
	if err != nil {
		return result, err
	}
	second, err := r.runs(1)
	if err != nil {
		return result, err
	}
	result.PeakBytes = PeakBytes(os.Getpid())
	period := system{"/"}.groups().quota().period
	request.Cap = min(request.Cap, max(enoughTime, enoughRuns*second, enoughPeriods*period))
	least := min(max(leastTime, leastPeriods*period), request.Cap)
	together := max(1, min(1000, int(sampleTime/max(second, 1e-7))))
	samples, err := r.gather(together, first+second, least, request)
	if err != nil {
		return result, err
	}
	e := probe.Steady(samples)
	result.Seconds, result.Spread, result.Runs = e.Mean, e.Spread, len(samples)*together
	// Samples are means of some runs, which count as independent.
	result.Deviation = min(probe.MostDeviation, e.Deviation*math.Sqrt(float64(together)))
	return result, nil
}

// gather times runs, some together, for the least time and until their mean is known or
// the time is over. It looks when there are a tenth more than when it last did.
func (r *ranged) gather(together int, spent, least float64, request probe.RangeRequest) (samples []float64, err error) {
	for look := leastRuns; len(samples) < mostRuns; {
		if len(samples) >= look && spent >= least {
			if probe.Steady(samples).Spread <= request.Goal {
				break
			}
			look = len(samples) + 1 + len(samples)/10
		}
		if len(samples) > 0 && spent >= request.Cap {
			break
		}
		one, err := r.runs(together)
		if err != nil {
			return nil, err
		}
		samples, spent = append(samples, one), spent+one*float64(together)
	}
	return samples, nil
}
