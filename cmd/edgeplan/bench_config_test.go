package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkValidate checks 500 nodes made by for_each and a network whose 250,000
// links come from a CSV file, as a user does: the whole program. "cpu-s" is what
// it computes, "wall-s" the fastest run, and 2 s are allowed; "peak-MiB" is its
// largest resident memory, and 476 (500 MB) are allowed.
func BenchmarkValidate(b *testing.B) {
	dir := measuredMesh(b, 500)
	wall, cpu := time.Hour, time.Hour // the least of all rounds, since other programs may get in between
	var peak int64
	for b.Loop() {
		cmd := exec.Command(filepath.Join(program, "edgeplan"), "-chdir="+dir, "validate")
		start := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "500 nodes") {
			b.Fatalf("%v\n%s", err, out)
		}
		wall = min(wall, time.Since(start))
		cpu = min(cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	}
	b.ReportMetric(wall.Seconds(), "wall-s")
	b.ReportMetric(cpu.Seconds(), "cpu-s")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// measuredMesh is a folder of n nodes and a row for each of their n*n pairs.
func measuredMesh(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("from,to,bandwidth,latency\n")
	for i := range n {
		for j := range n {
			fmt.Fprintf(&rows, "node.n[\"%03d\"],node.n[\"%03d\"],%dMbps,%dus\n", i, j, 10+i%7, 100+j)
		}
	}
	for name, text := range map[string]string{
		"links.csv": rows.String(),
		"main.edgeplan.hcl": fmt.Sprintf(`
node "n" {
  for_each = toset([for i in range(%d) : format("%%03d", i)])
  address  = "n${each.key}.local"
  memory   = "512MiB"
  compute  = "9GFLOPS"
}
network "mesh" {
  nodes = values(node.n)
  links = csvdecode(file("links.csv"))
}
`, n),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
