package solver

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// cluster draws different devices on a chain of l segments: speeds x0.4 to 2.5,
// memory that holds some of the chain, links of 5 to 1000 Mbit/s.
func cluster(seed uint64, n, l int, memory float64, shared, gateway bool) *Problem {
	draw := rand.New(rand.NewPCG(seed, uint64(n*1000+l)))
	p := &Problem{InBuffers: 2, OutBuffers: 1}
	base := make([]float64, l)
	var total int64
	for s := range l {
		base[s] = 0.05 + 0.3*draw.Float64()
		p.SegmentBytes = append(p.SegmentBytes, 10<<20+draw.Int64N(20<<20))
		p.ActivationBytes = append(p.ActivationBytes, draw.Int64N(4<<20))
		p.CutBytes = append(p.CutBytes, 100_000+draw.Int64N(1_000_000))
		total += p.SegmentBytes[s]
	}
	p.CutBytes = append(p.CutBytes, 4000)
	for v := range n {
		speed := 0.4 + 2.1*draw.Float64()
		node := Node{Name: fmt.Sprintf("v%d", v), MemoryBytes: int64(memory * float64(total) * (0.5 + draw.Float64()))}
		for s := range l {
			node.SegmentSeconds = append(node.SegmentSeconds, base[s]/speed*(0.9+0.2*draw.Float64()))
		}
		p.Nodes = append(p.Nodes, node)
		row := make([]float64, n)
		for u := range n {
			if u != v {
				row[u] = (5 + 995*draw.Float64()) * 125_000
			}
		}
		p.Bandwidth = append(p.Bandwidth, row)
	}
	if shared {
		net := Shared{Name: "wifi"}
		for u := range n {
			for v := range n {
				if u != v && u < n*2/3 && v < n*2/3 {
					net.Pairs = append(net.Pairs, [2]int{u, v})
					p.Bandwidth[u][v] = 5_000_000
				}
			}
		}
		p.Shared = []Shared{net}
	}
	if gateway {
		g := 0
		p.Gateway = &g
	}
	return p
}

func BenchmarkExact(b *testing.B) {
	for _, c := range []struct {
		n, l            int
		memory          float64
		shared, gateway bool
	}{
		{12, 100, 0.4, false, false},
		{12, 100, 0.15, false, true},
		{12, 100, 3, false, true},
		{12, 100, 0.4, true, true},
		{12, 100, 0.15, true, true},
		{12, 200, 0.4, false, true},
	} {
		b.Run(fmt.Sprintf("n=%d/L=%d/memory=%g/shared=%v/gateway=%v", c.n, c.l, c.memory, c.shared, c.gateway), func(b *testing.B) {
			p := cluster(1, c.n, c.l, c.memory, c.shared, c.gateway)
			var work int64
			for b.Loop() {
				s, err := Solve(b.Context(), p, Options{Algorithm: Exact})
				if err != nil || s.Status != Optimal {
					b.Fatal(s, err)
				}
				work = s.Work
			}
			b.ReportMetric(float64(work), "work/op")
		})
	}
}
