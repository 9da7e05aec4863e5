package worker

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// soakEnvironment makes the worker of workerEnvironment one of a soak.
const soakEnvironment = "EDGEPLAN_TEST_SOAK"

// soakEngine takes its time, and remembers nothing.
type soakEngine struct{ *fakeEngine }

func (e soakEngine) Run(inputs []tensor.Tensor, outputs []string) ([]tensor.Tensor, error) {
	time.Sleep(soakComputes)
	e.mu.Lock()
	e.seen = nil
	e.mu.Unlock()
	return e.fakeEngine.Run(inputs, outputs)
}

// collectWhenAsked frees what is not used whenever the process is told to.
func collectWhenAsked() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			runtime.GC()
			runtime.GC() // what finalizers and pools held until the first
		}
	}()
}

// memoryUse is of all workers together, in bytes.
type memoryUse struct {
	resident float64 // the median of a window under load
	heap     float64 // the least after collections, at rest
}

func (u memoryUse) String() string {
	return fmt.Sprintf("%.2f MiB resident, %.2f MiB of heap", u.resident/(1<<20), u.heap/(1<<20))
}

// soaked are the workers of a soak, each a process of its own.
type soaked struct {
	c    *cluster
	pids []int
}

func startSoak(t *testing.T, c *cluster) *soaked {
	t.Helper()
	t.Setenv(soakEnvironment, "1")
	s := &soaked{c: c}
	for i := range c.workers {
		c.startProcess(t, i)
	}
	for i, w := range c.workers {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if status, err := ReadStatus(w.dir); err == nil && status.Ready {
				s.pids = append(s.pids, status.PID)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("worker %d is not ready", i)
			}
		}
	}
	return s
}

// resident is what all workers have in memory now.
func (s *soaked) resident() (bytes float64) {
	for _, pid := range s.pids {
		_, resident := measure(pid)
		bytes += float64(resident)
	}
	return bytes
}

// sampleResident samples until the median is asked for.
func (s *soaked) sampleResident() (median func() float64) {
	done, samples := make(chan struct{}), make(chan []float64)
	go func() {
		var list []float64
		for {
			select {
			case <-done:
				samples <- list
				return
			case <-time.After(100 * time.Millisecond):
				list = append(list, s.resident())
			}
		}
	}()
	return func() float64 {
		close(done)
		list := append(<-samples, s.resident()) // a busy machine may have taken none
		slices.Sort(list)
		return list[len(list)/2]
	}
}

// leastHeap adds up the least of some samples after collections: a sample has to be asked
// for, and that takes memory too.
func (s *soaked) leastHeap() (bytes float64) {
	var clients []*Client
	least := make([]float64, len(s.pids))
	for i, pid := range s.pids {
		if status, err := ReadStatus(s.c.workers[i].dir); err != nil || status.PID != pid {
			s.c.t.Fatalf("worker %d was process %d, and is %d: %v", i, pid, status.PID, err)
		}
		clients, least[i] = append(clients, s.c.client(i)), math.Inf(1)
	}
	for range 5 {
		for _, pid := range s.pids {
			if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
				s.c.t.Fatal(err)
			}
		}
		time.Sleep(50 * time.Millisecond)
		for i, client := range clients {
			least[i] = min(least[i], s.heap(client))
		}
	}
	for i, client := range clients {
		client.Close()
		bytes += least[i]
	}
	return bytes
}

// heap is what one worker says of its own.
func (s *soaked) heap(client *Client) float64 {
	text, err := client.Metrics(s.c.t.(*testing.T).Context())
	if err != nil {
		s.c.t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil || len(families["go_memstats_heap_alloc_bytes"].GetMetric()) != 1 {
		s.c.t.Fatalf("no heap in the metrics: %v", err)
	}
	return families["go_memstats_heap_alloc_bytes"].GetMetric()[0].GetGauge().GetValue()
}
