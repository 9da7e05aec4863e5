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
		var problem error
		if result.ServingSeconds, problem = a.serving(dir, request, result.Seconds); problem != nil {
			result.ServingProblem = problem.Error()
		}
	}
	return result, err
}

// Requests are sent to a stage for so many times what one takes, within these bounds.
const (
	servedRequests            = 60
	leastServing, mostServing = time.Second, 5 * time.Second
)

// serving is what a request takes the worker of a stage: engine, messages, and what the one
// costs the other, since messages take the engine's caches.
func (a *agent) serving(dir string, request probe.RangeRequest, alone float64) (float64, error) {
	d := min(max(seconds(servedRequests*alone), leastServing), mostServing)
	stage := probe.Stage{Optimization: request.Optimization, Threads: request.Threads, Inputs: request.Inputs, Outputs: request.Outputs}
	used, err := a.Hop(a.ctx, dir, stage, d)
	return used / system{"/"}.share(), err
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
	go guard(ctx, command.Process.Pid, max(request.MemoryBytes, leastMemory), end)
	err = command.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var result probe.RangeResult
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		return nil, fmt.Errorf("the runner printed %q: %w", stdout.String()[:min(200, stdout.Len())], err)
	}
	return &result, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}

// ErrMemory is why a range was ended that took more memory than it may.
var ErrMemory = errors.New("it takes more memory than is free")

// guard ends a process that holds more than its limit of what the system cannot drop.
// The kernel, should it be quicker, is told to end it before anything else.
func guard(ctx context.Context, pid int, limit int64, end context.CancelCauseFunc) {
	folder := "/proc/" + strconv.Itoa(pid)
	_ = os.WriteFile(folder+"/oom_score_adj", []byte("1000"), 0)
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if held := statusBytes(folder+"/status", "RssAnon", "RssShmem", "VmSwap"); held > limit {
			end(fmt.Errorf("%w: it held %d bytes, and may hold %d", ErrMemory, held, limit))
			return
		}
	}
}

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
	return statusBytes("/proc/"+strconv.Itoa(pid)+"/status", "VmHWM")
}
