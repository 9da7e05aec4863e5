package solver

import "testing"

// BenchmarkExplain is one explanation of a solution on 20 nodes.
func BenchmarkExplain(b *testing.B) {
	p := cluster(1, 20, 48, 0.2, true, true)
	s := solve(b, p, Options{WorkLimit: 1 << 22})
	for b.Loop() {
		x := explain(b, p, s)
		b.ReportMetric(float64(x.Tried), "changes")
		b.ReportMetric(float64(len(x.Gains)), "gains")
	}
}
