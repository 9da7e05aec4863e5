package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// meshFolder is a folder of n nodes in one network, and the n*n rows of a CSV
// file for it.
func meshFolder(t testing.TB, n int, connection string) string {
	t.Helper()
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("from,to,bandwidth,latency\n")
	for i := range n {
		for j := range n {
			fmt.Fprintf(&csv, "node.n[\"%03d\"],node.n[\"%03d\"],%dMbps,%dus\n", i, j, 10+i%7, 100+j)
		}
	}
	write(t, filepath.Join(dir, "links.csv"), csv.String())
	write(t, filepath.Join(dir, "main.edgeplan.hcl"), fmt.Sprintf(`
node "n" {
  for_each = toset([for i in range(%d) : format("%%03d", i)])
  address  = "n${each.key}.local"
  memory   = "512MiB"
  compute  = "9GFLOPS"
}
network "mesh" {
  nodes = values(node.n)
  %s
}
network "other" {
  nodes     = [node.n["000"]]
  bandwidth = "1Gbps"
}
`, n, connection))
	return dir
}

const (
	sameEverywhere = `bandwidth = "40Mbps"`
	measured       = `links = csvdecode(file("links.csv"))`
)

func TestManyNodes(t *testing.T) {
	dir := meshFolder(t, 500, sameEverywhere)
	start := time.Now()
	c, diags := Load(dir, Options{})
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("500 nodes took %v", took)
	}
	if len(diags) > 0 || len(c.Nodes) != 500 || len(c.Networks[0].Nodes) != 500 {
		t.Errorf("%d nodes, %v", len(c.Nodes), diags)
	}
}

func TestManyLinks(t *testing.T) {
	c, diags := Load(meshFolder(t, 100, measured), Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if got := len(c.Networks[0].Links); got != 100*99 {
		t.Errorf("%d links", got)
	}
}

// BenchmarkLoad reads 500 nodes with 250,000 measured links.
func BenchmarkLoad(b *testing.B) {
	dir := meshFolder(b, 500, measured)
	b.ReportAllocs()
	for b.Loop() {
		if _, diags := Load(dir, Options{}); len(diags) > 0 {
			b.Fatal(diags)
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReferencesInAnyOrder writes a chain of locals in a random order over two
// files: the values do not depend on it, and closing the chain is a cycle that
// names every member once.
func TestReferencesInAnyOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		order := rapid.Permutation(sequence(n)).Draw(t, "order")
		closed := rapid.Bool().Draw(t, "closed")
		split := rapid.IntRange(0, n).Draw(t, "split")
		lines := make([]string, n)
		for at, i := range order {
			switch {
			case i > 0:
				lines[at] = fmt.Sprintf("  l%d = local.l%d + 1\n", i, i-1)
			case closed:
				lines[at] = fmt.Sprintf("  l0 = local.l%d + 1\n", n-1)
			default:
				lines[at] = "  l0 = 0\n"
			}
		}
		files := []string{
			"locals {\n" + strings.Join(lines[:split], "") + "}\n",
			fmt.Sprintf("locals {\n%s}\noutput \"last\" {\n  value = local.l%d\n}\n", strings.Join(lines[split:], ""), n-1),
		}
		for i, text := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.edgeplan.hcl", i)), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c, diags := Load(dir, Options{})
		if closed {
			if len(diags) != 1 || diags[0].Summary != "Cycle" || n > 1 && strings.Count(diags[0].Detail, " -> ") != n {
				t.Fatalf("a cycle of %d gave %v", n, diags)
			}
			return
		}
		outputs, more := c.EvalOutputs(nil)
		if len(diags)+len(more) > 0 {
			t.Fatalf("%v %v", diags, more)
		}
		if last, _ := outputs[0].Value.AsBigFloat().Int64(); last != int64(n-1) {
			t.Fatalf("local.l%d = %d", n-1, last)
		}
	})
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func replaceOnce(text, old, by string) string { return strings.Replace(text, old, by, 1) }
