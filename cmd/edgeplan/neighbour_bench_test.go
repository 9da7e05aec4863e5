package main_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

// What the devices of BenchmarkNeighbours are connected with, in Mbit/s.
const (
	sharedUplink = 20
	betweenThem  = 100
)

var neighbourDevices = flag.Int("neighbour-devices", 30, "devices behind one line in BenchmarkNeighbours")

// BenchmarkNeighbours deploys over one slow line that all devices share, with the uplink
// declared and without: a first time, and a new engine where everything else is there.
func BenchmarkNeighbours(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("network namespaces need root: run make bench-deploy as root")
	}
	b.Run("first", func(b *testing.B) {
		bed := newSlowBed(b)
		for b.Loop() {
			with := bed.timedApply(true, 0)
			bed.destroy()
			b.ReportMetric(bed.timedApply(false, 0).Seconds()/with.Seconds(), "x-without")
			bed.destroy()
		}
		b.ReportMetric(0, "ns/op")
	})
	b.Run("new engine", func(b *testing.B) {
		bed := newSlowBed(b)
		bed.timedApply(true, 0)
		for b.Loop() {
			with := bed.timedApply(true, 1)
			b.ReportMetric(bed.timedApply(false, 2).Seconds()/with.Seconds(), "x-without")
		}
		b.ReportMetric(0, "ns/op")
		bed.destroy()
	})
}

// slowBed are devices that are near each other, behind one slow line.
type slowBed struct {
	*netBed
	folder string
}

func newSlowBed(b *testing.B) slowBed {
	b.Helper()
	bed := newNetBed(b, *neighbourDevices, betweenThem)
	bed.shape(*neighbourDevices+1, sharedUplink)
	bed.shareFairly(*neighbourDevices + 1)
	s := slowBed{bed, bed.start()}
	b.Cleanup(func() { stopWorkers(bed.dir) })
	s.writeModel(*neighbourDevices)
	return s
}

// shareFairly divides the shaped line of the operator between the devices, as routers do: in one
// queue for all, some of so many connections get nothing for 15 s.
func (b *netBed) shareFairly(operator int) {
	b.t.Helper()
	for i := 1; i <= b.n; i++ {
		for _, line := range []string{
			fmt.Sprintf("class add dev eth0 parent 1:1 classid 1:%x htb rate %dkbit ceil %dmbit", i+15, 1000*sharedUplink/b.n, sharedUplink),
			fmt.Sprintf("filter add dev eth0 parent 1: protocol ip u32 match ip dst %s/32 flowid 1:%x", b.address(i), i+15),
		} {
			b.run("tc", append([]string{"-n", b.space(operator)}, strings.Fields(line)...)...)
		}
	}
}

func (b slowBed) destroy() { b.edgeplan(b.folder, "destroy", "-auto-approve") }

// writeModel adds a model that needs all devices, on one network.
func (b slowBed) writeModel(devices int) {
	b.t.Helper()
	model, err := modelbuilder.Perceptron(1, 2*devices, 256)
	if err == nil {
		err = model.WriteFile(filepath.Join(b.dir, "folder", "m.onnx"))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	var nodes []string
	for i := 1; i <= devices; i++ {
		nodes = append(nodes, fmt.Sprintf("node.n%02d", i))
	}
	b.write("folder/model.edgeplan.hcl", fmt.Appendf(nil, "network \"lan\" {\n  nodes     = [%s]\n  bandwidth = \"%dMbps\"\n}\nmodel \"m\" {\n  source = \"m.onnx\"\n}\n",
		strings.Join(nodes, ", "), betweenThem))
}

// writeEngine makes an engine of some version the one to deploy, with the line known or not.
func (b slowBed) writeEngine(uplink bool, version byte) {
	b.t.Helper()
	content, err := os.ReadFile(enginetest.Library(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	b.write("folder/engine.so", append(content, version)) // what follows the sections is not loaded
	settings := fmt.Sprintf("edgeplan {\n  engines = { \"linux/%s\" = \"engine.so\" }\n", runtime.GOARCH)
	if uplink {
		settings += fmt.Sprintf("  uplink = \"%dMbps\"\n", sharedUplink)
	}
	b.write("folder/settings.edgeplan.hcl", []byte(settings+"}\n"))
}

// timedApply applies a version of the engine, and logs what is moved.
func (b slowBed) timedApply(uplink bool, version byte) time.Duration {
	b.t.Helper()
	b.writeEngine(uplink, version)
	b.edgeplan(b.folder, "init", "-upgrade")
	begun := time.Now()
	out := b.edgeplan(b.folder, "apply", "-auto-approve")
	took := time.Since(begun)
	b.t.Logf("neighbours %v: %s. %s", uplink, took, regexp.MustCompile(`Upload: .*`).FindString(out))
	if warned := regexp.MustCompile(`.*could not get.*`).FindString(out); warned != "" {
		b.t.Error(warned)
	}
	return took
}
