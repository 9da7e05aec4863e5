package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// baseSeconds is how long a model of one operator runs.
const baseSeconds = 0.2

// hopTime is how long requests are sent to a stage with next to nothing to do.
const hopTime = 800 * time.Millisecond

// base measures what a worker costs beside its slice.
func (a *agent) base(request probe.BaseRequest) (*probe.Base, error) {
	a.engine.Lock()
	defer a.engine.Unlock()
	b := &probe.Base{}
	err := a.in(request.Engine, request.Tiny, func(dir string) (err error) {
		b.WorkerBytes, b.LoadSeconds, err = a.Base(a.ctx, dir, request.Tiny)
		return err
	})
	if err != nil {
		return nil, err
	}
	run, tiny, err := a.hop(request.Engine, request.Tiny)
	if err != nil {
		return nil, err
	}
	b.RunnerBytes = run.PeakBytes
	_, large, err := a.hop(request.Engine, request.Large)
	if err != nil {
		return nil, err
	}
	few, err1 := moved(request.Tiny)
	many, err2 := moved(request.Large)
	if many > few {
		b.ByteSeconds = max(0, (large-tiny)/(many-few))
	}
	b.RequestSeconds = max(0, tiny-b.ByteSeconds*few)
	return b, errors.Join(err1, err2)
}

// moved are the bytes that a stage receives and sends for a request.
func moved(model probe.Passing) (float64, error) {
	in, err1 := model.Input.Bytes()
	out, err2 := model.Output.Bytes()
	return float64(in + out), errors.Join(err1, err2)
}

// hop is what a request takes a worker beside the engine, in seconds of the device, and what
// the engine itself was seen to take.
func (a *agent) hop(engine probe.File, model probe.Passing) (run *probe.RangeResult, seconds float64, err error) {
	var result HopResult
	err = a.in(engine, model, func(dir string) error {
		run, err = a.runIn(dir, probe.RangeRequest{Optimization: "disabled", Threads: 1, Inputs: []tensor.Info{model.Input},
			Outputs: []tensor.Info{model.Output}, Goal: 1, Cap: baseSeconds, MemoryBytes: 1 << 40})
		if err == nil {
			result, err = a.Hop(a.ctx, dir, model.Stage(), hopTime)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return run, max(0, result.CPUSeconds/system{"/"}.share()-run.Seconds), nil
}

// in makes a folder with an engine and a model.
func (a *agent) in(engine probe.File, model probe.Passing, do func(dir string) error) error {
	dir, remove, err := a.folder([]probe.File{engine})
	if err != nil {
		return err
	}
	defer remove()
	if err := os.WriteFile(filepath.Join(dir, graphFile), model.Graph, 0o600); err != nil {
		return err
	}
	return do(dir)
}

// ProcessorSeconds is what the threads of a process have used of processors so far; of those
// that have ended, nothing (schedstat of proc(5), in nanoseconds).
func ProcessorSeconds(pid int) float64 {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
	total := 0.0
	for _, file := range threads {
		text, _ := os.ReadFile(file) // a thread may be gone by now
		first, _, _ := strings.Cut(string(text), " ")
		if nanoseconds, err := strconv.ParseInt(first, 10, 64); err == nil {
			total += float64(nanoseconds) / 1e9
		}
	}
	return total
}
