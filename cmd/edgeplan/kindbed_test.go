package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// kindBed are devices of some kinds and, as the last, a gateway without a limit.
type kindBed struct {
	*netBed
	folder   string
	hostKeys []string
}

func (p *prediction) newBed(b *testing.B, c randomCluster) *kindBed {
	b.Helper()
	bed := newNetBed(b, append(append([]int{}, c.mbps...), 100)...)
	bed.limits, bed.operator = p.limits, bed.n // what clients send to the gateway takes none of its links
	for i, kind := range c.kinds {
		group, err := p.pace.Device(kindShares[kind])
		if err != nil {
			b.Fatal(err)
		}
		bed.shares[i+1] = group
	}
	k := &kindBed{netBed: bed}
	k.folder, k.hostKeys = bed.startDevices()
	return k
}

// node is the block of a device.
func (k *kindBed) node(name string, i int, hostKey, more string) string {
	return fmt.Sprintf("node %q {\n  address       = %q\n  port          = 2222\n  user          = \"pi\"\n  host_key      = %q\n"+
		"  architecture  = %q\n%s}\n", name, k.address(i), hostKey, "linux/"+runtime.GOARCH, more)
}

func (k *kindBed) configure(text string) {
	k.write("folder/main.edgeplan.hcl", []byte("ssh {\n  identity_file = \"id\"\n}\n"+text))
}

// network joins all nodes of a cluster.
func (k *kindBed) network() string {
	nodes := []string{"node.gateway"}
	for i := range k.n - 1 {
		nodes = append(nodes, fmt.Sprintf("node.n%d", i))
	}
	return "network \"lan\" {\n  nodes = [" + strings.Join(nodes, ", ") + "]\n}\n"
}

// benched is what edgeplan bench says of a pipeline.
type benched struct {
	Throughput float64 `json:"throughput_per_second"`
	Predicted  float64 `json:"predicted_throughput_per_second"`
	Stages     []struct {
		Compute     float64 `json:"compute_seconds"`
		Utilisation float64 `json:"utilisation"`
	} `json:"stages"`
}

// measure runs what is deployed under a closed loop.
func (k *kindBed) measure(model string) predictedRow {
	k.t.Helper()
	var state statefile.State
	content, err := os.ReadFile(filepath.Join(k.folder, statefile.StateFile))
	if err == nil {
		err = json.Unmarshal(content, &state)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	slices := state.Models[model].Slices
	var used []float64
	for _, slice := range slices {
		used = append(used, agent.ProcessorSeconds(k.worker(slice.Node, model)))
	}
	begun := time.Now()
	var result benched
	text := k.edgeplan(k.folder, "bench", "-json", "-duration", predictFor.String(), "-concurrency", predictAtOnce, model)
	elapsed := time.Since(begun).Seconds()
	if err := json.Unmarshal([]byte(text), &result); err != nil || len(result.Stages) != len(slices) {
		k.t.Fatalf("%v: %s", err, text)
	}
	r := predictedRow{model: model, stages: len(slices), predicted: result.Predicted, measured: result.Throughput}
	for i, slice := range slices {
		pid, s := k.worker(slice.Node, model), result.Stages[i]
		r.memory = append(r.memory, float64(slice.MemoryBytes)/float64(agent.PeakBytes(pid)))
		k.t.Logf("  %s: the engine takes %.1f ms for segments %d to %d, %.0f %% of the time; processor %.3f",
			slice.Node, 1000*s.Compute, slice.FirstSegment, slice.LastSegment, 100*s.Utilisation, (agent.ProcessorSeconds(pid)-used[i])/elapsed)
	}
	return r
}

// worker is the process of a stage.
func (k *kindBed) worker(node, model string) (pid int) {
	k.t.Helper()
	var i int
	if _, err := fmt.Sscanf(node, "node.n%d", &i); err != nil {
		k.t.Fatalf("a stage on %s: %v", node, err)
	}
	found, err := filepath.Glob(filepath.Join(k.dir, fmt.Sprintf("home%d", i+1), ".edgeplan", model+"-*", "current"))
	if err != nil || len(found) != 1 {
		k.t.Fatalf("workers on %s: %v %v", node, found, err)
	}
	status, err := worker.ReadStatus(found[0])
	if err != nil || status.PID == 0 {
		k.t.Fatalf("%s: %+v %v", found[0], status, err)
	}
	return status.PID
}
