package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/statefile"
)

const slowLinkConfig = `
network "lan" {
  nodes = [node.n01, node.n02, node.n03]
}
model "m" {
  source  = "m.onnx"
  gateway = node.n01
  threads = 1
}
`

// slowen makes what one device sends to another slow, and nothing else.
func (b *netBed) slowen(from, to int, kbps int) {
	b.t.Helper()
	b.run("tc", strings.Fields(fmt.Sprintf("-n %s class replace dev eth0 parent 1: classid 1:2 htb rate %dkbit", b.space(from), kbps))...)
	b.run("tc", strings.Fields(fmt.Sprintf("-n %s filter replace dev eth0 parent 1: protocol ip prio 1 handle 800::1 u32 match ip dst %s/32 flowid 1:2", b.space(from), b.address(to)))...)
}

// newSlowLinkBed has a gateway that holds no stage, and two devices alike. It deploys to
// the one whose number is given back, over links of 10 Mbit/s that were measured.
func newSlowLinkBed(t testing.TB) (b *watchBed, bed *netBed, used int) {
	t.Helper()
	enginetest.Library(t)
	bed = newNetBed(t, 3, 10)
	folder := bed.start()
	b = &watchBed{workbench: &workbench{dir: folder}}
	path := filepath.Join(folder, "main.edgeplan.hcl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The gateway is too small for a stage, and the others so fast that links decide.
	config := strings.ReplaceAll(strings.Replace(string(text), "256MiB", "30MiB", 1), "1GFLOPS", "100GFLOPS")
	b.write(t, "main.edgeplan.hcl", []byte(config+slowLinkConfig))
	model, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteFile(filepath.Join(folder, "m.onnx")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopWorkers(bed.dir) })
	initFolder(t, folder)
	bed.edgeplan(folder, "probe", "-only", "links")
	bed.edgeplan(folder, "apply", "-auto-approve")
	return b, bed, firstStage(t, b)
}

// firstStage is the number of the device that the gateway sends to.
func firstStage(t testing.TB, b *watchBed) (n int) {
	t.Helper()
	state, err := statefile.Parse("state", b.stateBytes(t))
	if err != nil {
		t.Fatal(err)
	}
	m := state.Models["m"]
	if _, err := fmt.Sscanf(m.Slices[0].Node, "node.n%d", &n); err != nil {
		t.Fatalf("%s: %v", m.Slices[0].Node, err)
	}
	return n
}

// A link becomes slow under load: watch measures it, writes that down, and plans another
// way; and does not measure again what it has just measured.
func BenchmarkWatchSlowLink(t *testing.B) {
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root: run make bench-watch as root")
	}
	b, bed, used := newSlowLinkBed(t)
	other := 5 - used
	before, err := measurement.Read(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	b.startIn(t, bed, "-min-throughput", "0.7", "-for", "3s", "-interval", "500ms", "-grace", "3s", "-settle", "3s", "-period", "2s")
	b.await(t, time.Minute, "start", "watching 3 devices")
	load := exec.Command("ip", "netns", "exec", bed.space(4), filepath.Join(program, "edgeplan"), "-chdir="+b.dir, "bench", "m", "-duration", "40s", "-concurrency", "16")
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = load.Process.Kill(); _ = load.Wait() })
	time.Sleep(5 * time.Second)
	slowed := time.Now()
	bed.slowen(1, used, 500)
	measured := b.await(t, time.Minute, "measured", "2 directions measured")
	applied := b.await(t, time.Minute, "applied", "new measurements")
	t.Logf("%s\nmeasured %.1f s and serving otherwise %.1f s after the link became slow, of which 3 s had to pass", measured.Message,
		measured.Time.Sub(slowed).Seconds(), applied.Time.Sub(slowed).Seconds())
	if now := firstStage(t, b); now != other {
		t.Errorf("requests go to node.n%02d", now)
	}
	b.checkMeasured(t, before, used)
	time.Sleep(5 * time.Second)
	b.end(t)
	for _, e := range b.events(t) {
		if e.Event == "measuring" && e.Time.After(measured.Time) || e.Event == "failed" || e.Event == "pending" {
			t.Errorf("%+v", e)
		}
	}
	if out := bed.edgeplan(b.dir, "plan"); !strings.Contains(out, "No changes") {
		t.Errorf("afterwards:\n%s", out)
	}
}

// checkMeasured looks whether the file has what the link carries now, and all else as it was.
func (b *watchBed) checkMeasured(t testing.TB, before *measurement.Measurements, used int) {
	t.Helper()
	after, err := measurement.Read(b.dir)
	if err != nil || len(after.Links) != len(before.Links) {
		t.Fatalf("%+v, %v", after, err)
	}
	for i, l := range after.Links {
		switch slow := fmt.Sprintf("node.n%02d", used); {
		case l.From == "node.n01" && l.To == slow:
			mbps := l.BandwidthBytesPerSecond * 8 / 1e6
			t.Logf("%s -> %s: %.3f Mbit/s with what the pipeline sent, and 0.5 is the rate", l.From, l.To, mbps)
			if mbps < 0.2 || mbps > 0.8 {
				t.Errorf("it was measured as %.3f", mbps)
			}
		case l.From == slow && l.To == "node.n01":
		case l != before.Links[i]:
			t.Errorf("%+v was %+v", l, before.Links[i])
		}
	}
}
