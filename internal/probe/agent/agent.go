package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// Options of Serve.
type Options struct {
	Root    string // edgeplan's folder on the device
	Program string // this program, which it runs for ranges and workers
	// Workers tells of running workers of edgeplan in the folder.
	Workers func(root string) (models []string, bytes int64)
	// Base starts a real worker in a folder with an engine and drives it with a model: its
	// highest resident memory, and how long it took to be ready.
	Base func(ctx context.Context, dir string, model probe.Passing) (bytes int64, loadSeconds float64, err error)
	// Hop starts a real worker of a stage in such a folder and another one that sends
	// and receives for a while.
	Hop func(ctx context.Context, dir string, stage probe.Stage, d time.Duration) (HopResult, error)
	// Idle is how long it waits for a request; 0 is ten minutes. A connection that is
	// gone without a word leaves it waiting.
	Idle time.Duration
}

// HopResult is what the worker of a stage takes.
type HopResult struct {
	CPUSeconds float64 // of processors for a request; 0 where the kernel does not tell
	PeakBytes  int64   // resident at its highest
}

// agent is the probe on a device.
type agent struct {
	Options
	ctx    context.Context
	engine sync.Mutex // held while the engine runs

	tests sync.Mutex
	stop  func() // ends the last test that was listened for; nil before

	mu  sync.Mutex // of out
	out *json.Encoder
}

// Serve answers requests until in ends, which it does with the operator's connection,
// or until nothing was asked for some time. It leaves no file behind.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	if o.Idle == 0 {
		o.Idle = 10 * time.Minute
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &agent{Options: o, ctx: ctx, out: json.NewEncoder(out)}
	a.removeOld()
	defer a.removeOld()
	requests := make(chan probe.Request)
	go func() { cancel(readRequests(ctx, in, requests)) }()
	return a.serve(requests)
}

// errIdle ends a probe that nobody asks.
var errIdle = errors.New("nothing was asked of the probe for too long")

func (a *agent) serve(requests <-chan probe.Request) error {
	var working sync.WaitGroup
	defer working.Wait()
	for {
		select {
		case request := <-requests:
			working.Go(func() { a.answer(request) })
		case <-a.ctx.Done():
			if err := context.Cause(a.ctx); !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		case <-time.After(a.Idle):
			return errIdle
		}
	}
}

// readRequests reads lines until the end.
func readRequests(ctx context.Context, in io.Reader, requests chan<- probe.Request) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), probe.MaxLine)
	for lines.Scan() {
		var request probe.Request
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			return fmt.Errorf("what was asked is no request: %w", err)
		}
		select {
		case requests <- request:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (a *agent) answer(request probe.Request) {
	response, err := a.do(request)
	response.ID = request.ID
	if err != nil {
		response = probe.Response{ID: request.ID, Error: err.Error(), Unreached: errors.Is(err, errUnreached)}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.out.Encode(response) // the reader's end comes with an error of its own
}

func (a *agent) do(request probe.Request) (r probe.Response, err error) {
	switch {
	case request.Clock:
		r.Clock = time.Now().UnixNano()
	case request.Facts != nil:
		r.Facts, err = a.facts(*request.Facts)
	case request.Listen != nil:
		r.Listen, err = a.listen(*request.Listen)
	case request.Send != nil:
		s := request.Send
		var result probe.LinkResult
		result, err = Send(a.ctx, s.Address, s.Secret, s.Limits)
		r.Link = &result
	case request.Base != nil:
		r.Base, err = a.base(*request.Base)
	case request.Range != nil:
		r.Range, err = a.timeRange(*request.Range)
	default:
		err = errors.New("nothing that this version of the probe knows was asked for")
	}
	return r, err
}

// listen opens a port for a test. A device is in one test at a time, so an earlier one to
// which nobody came gives its port back.
func (a *agent) listen(request probe.ListenRequest) (*probe.Listening, error) {
	a.tests.Lock()
	defer a.tests.Unlock()
	if a.stop != nil {
		a.stop()
	}
	port, stop, err := Listen(a.ctx, request.Host, request.Port, request.Secret, request.Limits)
	a.stop = stop
	return &probe.Listening{Port: port}, err
}

// scratchPattern are the folders of probes; one that was killed leaves its own.
const scratchPattern = ".probe-*"

// removeOld removes the folders of probes: one at a time works on a device, under its
// lease.
func (a *agent) removeOld() {
	old, _ := filepath.Glob(filepath.Join(a.Root, scratchPattern))
	for _, dir := range old {
		_ = os.RemoveAll(dir)
	}
}
