package worker

import (
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// The simulation works with the worker's own numbers: change both.
func TestSimulationIsOfThisWorker(t *testing.T) {
	for _, stages := range []int{1, 3, 8} {
		for _, queue := range []int{1, 2, 16} {
			for _, requests := range []int{0, 8, 32} {
				want := window(Manifest{Queue: queue, Gateway: &Gateway{Stages: stages, Requests: requests}})
				if got := simulation.InFlight(stages, queue, requests); got != want {
					t.Errorf("%d stages with queues of %d, %d requests held: %d in flight, and here %d", stages, queue, requests, got, want)
				}
			}
		}
	}
	for _, elements := range []int64{1, 1 << 18, 1 << 22, 1 << 26} {
		info := tensor.Info{Name: "x", Type: tensor.Uint8, Shape: []int64{elements}}
		limit := messageLimit([]tensor.Info{info}, false)
		if want, got := int64(min(max(minWindow, limit), maxWindow)), simulation.Window(elements); got != want {
			t.Errorf("a tensor of %d bytes: a window of %d, and here %d", elements, got, want)
		}
	}
	for _, c := range []struct {
		name      string
		want      time.Duration
		simulated float64
	}{
		{"margin", margin, simulation.MarginSeconds},
		{"patience", defaultPatience, simulation.PatienceSeconds},
		{"retry", defaultRetry, simulation.RetrySeconds},
		{"pause", retryPause, simulation.PauseSeconds},
		{"notice", pingTimeout, simulation.NoticeSeconds},
	} {
		if got := time.Duration(c.simulated * float64(time.Second)); got != c.want {
			t.Errorf("%s: %v in the simulation, and %v here", c.name, got, c.want)
		}
	}
}
