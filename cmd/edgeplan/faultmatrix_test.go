package main_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/testbed"
)

var (
	faultMoments = flag.Int("fault-moments", 0, "at how many moments of an apply each fault of the matrix strikes; 0 is one, with less patience for silence")
	faultSeed    = flag.Uint64("fault-seed", 0, "seed of the fault matrix; 0 draws one")
	faultBeds    = flag.Int("fault-beds", 3, "how many beds of devices the fault matrix uses at once")
	faultOnly    = flag.String("fault-only", "", "only faults whose name has this in it")
)

// longestHang is what an apply may wait for a device that is broken.
const longestHang = 30 * time.Second

// matrixFault is one column of the matrix: what strikes a device in the middle of
// an apply, and how it is lifted.
type matrixFault struct {
	name   string
	strike func(*run) error
	lift   func(*run) error
	cause  *regexp.Regexp // what an error has to say; nil where the operator can say nothing
	plain  bool           // strikes a device that is not made of namespaces as well
}

var lostConnection = regexp.MustCompile(`connection was lost|cannot be reached|closed the connection|did not finish the SSH handshake|cannot connect|not connected|has not answered|fell silent|cannot reach|does not answer`)

var matrixFaults = []matrixFault{
	{"sshd killed", onDevice((*testbed.Device).KillServer), onDevice((*testbed.Device).StartServer), lostConnection, true},
	{"link cut", onDevice((*testbed.Device).Cut), onDevice((*testbed.Device).Join), lostConnection, true},
	{"silence", onDevice((*testbed.Device).Hush), onDevice((*testbed.Device).Unhush), lostConnection, true},
	{"power off", onDevice((*testbed.Device).PowerOff), onDevice((*testbed.Device).PowerOn), lostConnection, false},
	{"disk full", onDevice((*testbed.Device).FillDisk), onDevice((*testbed.Device).FreeDisk), regexp.MustCompile(`disk is too full|[Nn]o space left`), false},
	{"read-only file system", onDevice((*testbed.Device).FailDisk), restart, regexp.MustCompile(`[Rr]ead-only`), false},
	{"memory limit", onDevice((*testbed.Device).LimitMemory), onDevice((*testbed.Device).UnlimitMemory), regexp.MustCompile(`memory`), true},
	{"wrong architecture", swapBoard, swapBack, regexp.MustCompile(lostConnection.String() + `|the plan takes it for`), false},
	{"operator killed", (*run).killOperator, func(*run) error { return nil }, nil, true},
}

func onDevice(do func(*testbed.Device) error) func(*run) error {
	return func(r *run) error { return do(r.victim) }
}

func restart(r *run) error { return errors.Join(r.victim.PowerOff(), r.victim.PowerOn()) }

// board is one of another architecture than this machine: as `uname -m`, in the heads
// of ELF files (elf(5)), and as edgeplan calls it.
type board struct {
	machine string
	elf     byte
	name    string
}

var otherBoard = map[string]board{"amd64": {"aarch64", 183, "linux/arm64"}, "arm64": {"x86_64", 62, "linux/amd64"}}[runtime.GOARCH]

// swapBoard puts a device's disk into another board.
func swapBoard(r *run) error {
	return errors.Join(r.victim.PowerOff(), r.victim.Become(otherBoard.machine, otherBoard.elf))
}

// swapBack looks first what an apply says of the wrong board.
func swapBack(r *run) error {
	out, err := r.bed.edgeplan("apply", "-auto-approve")
	if err == nil || !strings.Contains(out, "the device is "+otherBoard.name+", and the plan takes it for linux/"+runtime.GOARCH) || !strings.Contains(out, r.node()) {
		return fmt.Errorf("an apply to a device of another architecture: %v\n%s", err, out)
	}
	return errors.Join(r.victim.PowerOff(), r.victim.Become("", 0))
}

// TestFaultMatrix breaks devices at random moments of an apply, for real: each fault
// at -fault-moments of them. `make fault-matrix` is the long form, whose result
// docs/reliability.md has.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	start, faults := testbed.Start, matrixFaults
	if err := testbed.Unusable(); err != nil {
		if *faultMoments > 0 {
			t.Skip(err)
		}
		t.Logf("devices behind relays, which have some of the faults only: %v", err)
		start = testbed.StartPlain
		faults = slices.DeleteFunc(slices.Clone(faults), func(f matrixFault) bool { return !f.plain })
	}
	seed := *faultSeed
	switch {
	case seed != 0:
	case *faultMoments > 0:
		seed = rand.Uint64()
	default:
		seed = 1 // the short form strikes at the same moments each time
	}
	t.Logf("seed: -fault-seed=%d", seed)
	cells := drawCells(seed, faults)
	queue := make(chan cell, len(cells))
	for _, c := range cells {
		queue <- c
	}
	close(queue)
	var mu sync.Mutex
	results := map[string][]result{}
	var beds sync.WaitGroup
	for i := range min(*faultBeds, len(cells)) {
		beds.Go(func() {
			bed := newMatrixBed(t, start, seed, i)
			for c := range queue {
				r := bed.try(c)
				t.Logf("%s", r)
				mu.Lock()
				results[c.fault.name] = append(results[c.fault.name], r)
				mu.Unlock()
			}
		})
	}
	beds.Wait()
	t.Log("\n" + matrixTable(results))
}

func moments() int { return max(1, *faultMoments) }

// cell is one fault at one moment.
type cell struct {
	fault  matrixFault
	moment float64 // as a share of the time of an apply
	victim int     // which device
}

// drawCells draws moments evenly: one in every part of an apply. The order is such
// that beds get faults of all kinds.
func drawCells(seed uint64, faults []matrixFault) []cell {
	random := rand.New(rand.NewPCG(seed, 0))
	var cells []cell
	for i := range moments() {
		for _, fault := range faults {
			c := cell{fault, (float64(i) + random.Float64()) / float64(moments()), random.IntN(len(bedDevices))}
			if strings.Contains(fault.name, *faultOnly) {
				cells = append(cells, c)
			}
		}
	}
	random.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
	return cells
}

// result of a cell.
type result struct {
	cell
	serving   string // old, new or nothing: what answered once the fault was lifted
	how       string // beside or stop first
	failed    bool   // the apply
	said      string // by it, as an error
	waited    time.Duration
	back      time.Duration // from lifting the fault to the first answer
	converged bool
	losses    []string
}

func (r result) String() string {
	text := fmt.Sprintf("%-22s at %.3f on %s (%s): %s serves after %.1f s, apply failed %v, ended after %.1f s, converged %v",
		r.fault.name, r.moment, bedDevices[r.victim], r.how, r.serving, r.back.Seconds(), r.failed, r.waited.Seconds(), r.converged)
	if r.said != "" {
		text += "\n  " + strings.ReplaceAll(strings.TrimSpace(r.said), "\n", "\n  ")
	}
	for _, loss := range r.losses {
		text += "\n  LOSS: " + strings.ReplaceAll(strings.TrimSpace(loss), "\n", "\n    ")
	}
	return text
}

// matrixTable is the table of docs/reliability.md, of the faults that struck.
func matrixTable(results map[string][]result) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| fault | moments | applies that failed | old serves | new serves | longest wait | longest until it serves | converged | losses |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|")
	for _, fault := range matrixFaults {
		list := results[fault.name]
		if len(list) == 0 {
			continue
		}
		count := func(is func(result) bool) int {
			return len(slices.DeleteFunc(slices.Clone(list), func(r result) bool { return !is(r) }))
		}
		var waited, back time.Duration
		losses := 0
		for _, r := range list {
			waited, back, losses = max(waited, r.waited), max(back, r.back), losses+len(r.losses)
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.1f s | %.1f s | %d | %d |\n", fault.name, len(list),
			count(func(r result) bool { return r.failed }), count(func(r result) bool { return r.serving == "old" }),
			count(func(r result) bool { return r.serving == "new" }), waited.Seconds(), back.Seconds(),
			count(func(r result) bool { return r.converged }), losses)
	}
	return b.String()
}

// run is one apply that something happens to.
type run struct {
	bed     *matrixBed
	victim  *testbed.Device
	process *os.Process
}

func (r *run) node() string { return fmt.Sprintf("node.pi[%q]", r.victim.Name) }

func (r *run) killOperator() error { return r.process.Kill() }
