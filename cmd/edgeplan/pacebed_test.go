package main_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeplan/edgeplan/internal/cpushare"
	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// bedReference makes the test program the reference of a processor: it runs a network again and
// again, and prints what that takes, until nobody reads it. Its value is the engine and the network.
const bedReference = "EDGEPLAN_BED_REFERENCE"

// referencePause is between two runs, which take a tenth of the processor.
const referencePause = 600 * time.Millisecond

// reference is a whole network, with large images in its first layers and large weights in its
// last ones: what slows a processor down does not slow all layers down alike.
var reference = modelbuilder.ResNet18()

// referenceRuns on each processor tell what the reference takes.
const referenceRuns = 30

// serveReference prints nanoseconds of the processor, one run a line.
func serveReference(engine, model string) error {
	library, err := ort.Open(engine)
	if err != nil {
		return err
	}
	session, err := library.NewSession(model, ort.SessionOptions{Level: ort.Extended, Threads: 1})
	if err != nil {
		return err
	}
	image, err := session.Inputs()[0].Zeros()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	for {
		var took int64
		for range 2 { // the first brings it back into the caches
			begun := threadTime()
			if _, err := session.Run([]tensor.Tensor{image}, []string{session.Outputs()[0].Name}); err != nil {
				return err
			}
			took = threadTime() - begun
		}
		if _, err := fmt.Println(took); err != nil {
			return nil
		}
		time.Sleep(referencePause)
	}
}

// threadTime is what this thread has had of a processor, in nanoseconds: that devices take turns
// with it does not count.
func threadTime() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return t.Nano()
}

// newPace times the reference on every processor until the benchmark ends. Nominal seconds of 0
// are those that it takes now.
func newPace(b *testing.B, limits *cpushare.Limits, nominal float64) (pace *cpushare.Pace, seconds float64) {
	b.Helper()
	built, err := modelbuilder.ResNet(1, reference)
	model := filepath.Join(b.TempDir(), "reference.onnx")
	if err == nil {
		err = built.WriteFile(model)
	}
	if err != nil {
		b.Fatal(err)
	}
	var runs []<-chan float64
	for processor := range runtime.NumCPU() {
		runs = append(runs, startReference(b, processor, enginetest.Library(b)+" "+model))
	}
	if nominal == 0 {
		nominal = typicalReference(b, runs)
	}
	pace = cpushare.NewPace(limits, len(runs), nominal)
	for processor, seconds := range runs {
		go func() {
			for s := range seconds {
				_ = pace.Heard(processor, s) // a device may be gone by now
			}
		}()
	}
	return pace, nominal
}

// typicalReference is the middle of some runs on each processor.
func typicalReference(b *testing.B, runs []<-chan float64) float64 {
	b.Helper()
	var all []float64
	for range referenceRuns {
		for _, seconds := range runs {
			s, ok := <-seconds
			if !ok {
				b.Fatal("the reference has ended")
			}
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func startReference(b *testing.B, processor int, what string) <-chan float64 {
	b.Helper()
	command := exec.Command("taskset", "-c", strconv.Itoa(processor), os.Args[0])
	command.Env, command.Stderr = append(os.Environ(), bedReference+"="+what), os.Stderr
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	seconds := make(chan float64)
	go readReference(out, seconds)
	return seconds
}

func readReference(out io.Reader, seconds chan<- float64) {
	defer close(seconds)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if nanoseconds, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			seconds <- float64(nanoseconds) / 1e9
		}
	}
}
