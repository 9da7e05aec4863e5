package solver

import (
	"fmt"
	"math"
	"slices"
)

// checkSums makes sure that no sum that the solver may form overflows: bytes in
// 62 bits, and picoseconds of a whole pipeline below never.
func (p *Problem) checkSums(f *faults) {
	p.checkByteSums(f)
	p.checkTimeSums(f)
}

func (p *Problem) checkByteSums(f *faults) {
	const most = float64(1 << 61)
	cut := float64(slices.Max(p.CutBytes))
	buffers := cut * (float64(p.InBuffers) + float64(p.OutBuffers))
	weights, live := 0.0, 0.0
	for _, w := range p.SegmentBytes {
		weights += float64(w)
	}
	for _, a := range p.ActivationBytes {
		live = max(live, float64(a))
	}
	switch {
	case weights > most:
		f.add("segment_bytes", "their sum overflows: %g bytes", weights)
	case buffers > most:
		f.add("cut_bytes", "the buffers of the largest cut overflow: %g bytes", buffers)
	case weights+buffers+live > most:
		f.add("activation_bytes", "segments, buffers and activations together overflow: %g bytes", weights+buffers+live)
	}
	for v, node := range p.Nodes {
		if float64(node.BaseBytes)+weights+buffers+live > 2*most {
			f.add(fmt.Sprintf("nodes[%d].base_bytes", v), "overflows together with the segments: %d bytes", node.BaseBytes)
		}
	}
}

// slowest is the largest of some seconds and where it stands.
type slowest struct {
	seconds float64
	path    string
}

func (s *slowest) see(seconds float64, format string, args ...any) {
	if seconds > s.seconds {
		s.seconds, s.path = seconds, fmt.Sprintf(format, args...)
	}
}

func (p *Problem) checkTimeSums(f *faults) {
	cut := float64(slices.Max(p.CutBytes))
	var compute, cpu, move, wait slowest
	for v, node := range p.Nodes {
		sum := node.StageSeconds
		for _, t := range node.SegmentSeconds {
			sum += t
		}
		compute.see(sum, "nodes[%d].segment_seconds", v)
		for k, r := range node.RangeSeconds {
			compute.see(r.Seconds, "nodes[%d].range_seconds[%d]", v, k)
		}
		if b := node.SendBytesPerSecond; b > 0 {
			move.see(cut/b, "nodes[%d].send_bytes_per_second", v)
		}
		if b := node.ReceiveBytesPerSecond; b > 0 {
			move.see(cut/b, "nodes[%d].receive_bytes_per_second", v)
		}
		cpu.see(2*cut*node.CPUSecondsPerByte, "nodes[%d].cpu_seconds_per_byte", v)
		for w, b := range p.Bandwidth[v] {
			if w != v && b > 0 {
				move.see(cut/b, "bandwidth_bytes_per_second[%d][%d]", v, w)
			}
			if w != v && p.Latency != nil {
				wait.see(p.Latency[v][w], "latency_seconds[%d][%d]", v, w)
			}
		}
	}
	// The searches also add up all shared networks, and what the gateway shares.
	stages := float64(min(len(p.Nodes), p.Segments())+1) * float64(len(p.Shared)+3)
	most := float64(never) / psPerSecond / 4
	for _, part := range []slowest{compute, cpu, move, wait} {
		if s := part.seconds * stages; !(s < most) || math.IsInf(part.seconds, 0) {
			f.add(part.path, "the times overflow: up to %.3g s in one pipeline; at most %.3g s can be counted", s, most)
		}
	}
}
