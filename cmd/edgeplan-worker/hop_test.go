package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/worker"
)

// hopFolder holds what measureHop needs: an engine, and a slice of one operator.
func hopFolder(t *testing.T, values int64) (dir string, stage probe.Stage) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hop") // short: a socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	link(t, enginetest.Library(t), filepath.Join(dir, worker.EngineFile))
	b := modelbuilder.New("hop", 1)
	x := b.Input("x", tensor.Float32, 1, values)
	y := b.Node("Relu", []string{x})
	b.Output(y)
	m, err := b.Model()
	if err == nil {
		err = m.WriteFile(filepath.Join(dir, worker.GraphFile))
	}
	if err != nil {
		t.Fatal(err)
	}
	info := func(name string) tensor.Info {
		return tensor.Info{Name: name, Type: tensor.Float32, Shape: []int64{1, values}}
	}
	return dir, probe.Passing{Input: info(x), Output: info(y)}.Stage()
}

// A request costs a stage processor time, and a large one more than a small one.
func TestMeasureHop(t *testing.T) {
	var took [2]float64
	for i, values := range []int64{4, 256 << 10} {
		dir, stage := hopFolder(t, values)
		result, err := measureHop(context.Background(), dir, stage, 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if took[i] = result.CPUSeconds; result.PeakBytes < 16<<20 {
			t.Errorf("its worker held %d bytes at its highest", result.PeakBytes)
		}
	}
	if !(0 < took[0] && took[0] < took[1]) {
		t.Errorf("a small request takes %g s of processors, and a large one %g s", took[0], took[1])
	}
}

// Workers that hold more than they may are ended, and that is why.
func TestMeasureHopOfTooMuchMemory(t *testing.T) {
	dir, stage := hopFolder(t, 4)
	stage.MemoryBytes = 1 << 20
	if _, err := measureHop(context.Background(), dir, stage, time.Second); !errors.Is(err, agent.ErrMemory) {
		t.Errorf("it ended with %v", err)
	}
}

// A slice that does not load is told at once, and no process is left.
func TestMeasureHopOfDamage(t *testing.T) {
	dir, stage := hopFolder(t, 4)
	if err := os.WriteFile(filepath.Join(dir, worker.GraphFile), []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := measureHop(context.Background(), dir, stage, time.Second)
	if err == nil || !strings.Contains(err.Error(), "ended before it was ready") || !strings.Contains(err.Error(), worker.GraphFile) {
		t.Errorf("it ended with %v", err)
	}
	if status, err := worker.ReadStatus(filepath.Join(dir, "g")); err != nil || status.Running {
		t.Errorf("the gateway still runs: %+v, %v", status, err)
	}
}
