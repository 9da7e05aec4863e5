package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// RunCommand is the worker's subcommand that runs a range in a folder.
const RunCommand = "probe-run"

// Names of files in a folder with a range; those of a release.
const (
	graphFile  = "slice.onnx"
	engineFile = "libonnxruntime.so.1"
)

const (
	guardEvery  = 20 * time.Millisecond
	runnerGrace = 4 * time.Minute // to load what is read from a slow card, beside the time of runs
	leastMemory = 32 << 20
)

// timeRange runs a range in a process of its own: its memory is then what the system
// counts, and an engine that crashes takes nothing along. One range runs at a time.
func (a *agent) timeRange(request probe.RangeRequest) (*probe.RangeResult, error) {
	a.engine.Lock()
	defer a.engine.Unlock()
	dir, remove, err := a.folder(request.Files)
	if err != nil {
		return nil, err
	}
	defer remove()
	result, err := a.runIn(dir, request)
	if err == nil && request.Serve && result.Seconds > 0 {
		if problem := a.serveRange(dir, request, result); problem != nil {
			result.ServingProblem = problem.Error()
		}
	}
	return result, err
}

// Requests are sent to a stage for so many times what one takes, within these bounds.
const (
	servedRequests            = 30
	leastServing, mostServing = time.Second, 3 * time.Second
)

// errUncounted is why a serving run tells nothing of time.
var errUncounted = errors.New("the kernel does not count the processor time of threads (/proc/PID/task/TID/schedstat)")

// serveRange adds what a request takes the worker of a stage: engine, messages, and what the one
// costs the other, since messages take the engine's caches.
func (a *agent) serveRange(dir string, request probe.RangeRequest, result *probe.RangeResult) error {
	d := min(max(seconds(servedRequests*result.Seconds), leastServing), mostServing)
	stage := probe.Stage{Optimization: request.Optimization, Threads: request.Threads, Inputs: request.Inputs, Outputs: request.Outputs,
		MemoryBytes: max(request.MemoryBytes, leastMemory)}
	took, err := a.Hop(a.ctx, dir, stage, d)
	if err != nil {
		return err
	}
	result.ServingCPUSeconds, result.ServingPeakBytes = took.CPUSeconds/system{"/"}.share(), took.PeakBytes
	if took.CPUSeconds == 0 {
		return errUncounted
	}
	return nil
}

// runIn starts this program as the runner of a folder, and guards its memory.
func (a *agent) runIn(dir string, request probe.RangeRequest) (*probe.RangeResult, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(a.ctx, runnerGrace+seconds(4*request.Cap), errors.New("it took too long"))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	command := exec.CommandContext(ctx, a.Program, RunCommand, dir)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(text), &stdout, &stderr
	command.SysProcAttr = EndsWithParent()
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		return nil, err
	}
	go Guard(ctx, max(request.MemoryBytes, leastMemory), end, command.Process.Pid)
	err = command.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, LastLine(stderr.String()))
	}
	var result probe.RangeResult
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		return nil, fmt.Errorf("the runner printed %q: %w", stdout.String()[:min(200, stdout.Len())], err)
	}
	return &result, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// LastLine of what a program wrote.
func LastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}

// ErrMemory is why a range was ended that took more memory than it may.
var ErrMemory = errors.New("it takes more memory than is free")

// Guard ends processes, by end, that together hold more than a limit of what the system cannot
// drop. The kernel, should it be quicker, is told to end them before anything else.
func Guard(ctx context.Context, limit int64, end context.CancelCauseFunc, pids ...int) {
	for _, pid := range pids {
		_ = os.WriteFile(procFile(pid, "oom_score_adj"), []byte("1000"), 0)
	}
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		held := int64(0)
		for _, pid := range pids {
			held += statusBytes(procFile(pid, "status"), "RssAnon", "RssShmem", "VmSwap")
		}
		if held > limit {
			end(fmt.Errorf("%w: it held %d bytes, and may hold %d", ErrMemory, held, limit))
			return
		}
	}
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// statusBytes adds values of /proc/PID/status; 0 once the process is gone.
func statusBytes(file string, names ...string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	total := int64(0)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		for _, wanted := range names {
			if name == wanted {
				total += kibibytes(value)
			}
		}
	}
	return total
}

// PeakBytes is the most that a process has had in memory at once; 0 is not known.
func PeakBytes(pid int) int64 {
	return statusBytes(procFile(pid, "status"), "VmHWM")
}
