package solver

import (
	"errors"
	"fmt"
	"math"
)

// FieldError is one fault of a problem, at its path in the problem file.
type FieldError struct {
	Path    string // nodes[2].segment_seconds[3]
	Problem string // what is wrong, and what would be right
	// Line and Column in the problem file, both from 1, columns in bytes; 0 where the
	// problem was not read from one.
	Line, Column int

	atKey bool // the fault is the key, not its value
}

// Error is the path and the fault in one line.
func (e *FieldError) Error() string { return e.Path + ": " + e.Problem }

// faults collects every fault of a problem.
type faults struct {
	all       []error
	malformed bool // lists or members could not be read, so that others seem too short
}

func (f *faults) add(path, format string, args ...any) {
	f.all = append(f.all, &FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
}

func (f *faults) length(path string, got, want int, of string) bool {
	if got != want {
		f.add(path, "has %d entries; %d are needed, one for each %s", got, want, of)
	}
	return got == want
}

func (f *faults) index(path string, got, size int, of string) bool {
	ok := got >= 0 && got < size
	if !ok {
		f.add(path, "%s %d does not exist; the numbers are 0 to %d", of, got, size-1)
	}
	return ok
}

func (f *faults) amount(path string, v int64) {
	if v < 0 {
		f.add(path, "is negative: %d", v)
	}
}

func (f *faults) amounts(path string, vs []int64) {
	for i, v := range vs {
		if v < 0 {
			f.amount(fmt.Sprintf("%s[%d]", path, i), v)
		}
	}
}

func (f *faults) number(path string, v float64) {
	switch {
	case math.IsNaN(v):
		f.add(path, "is not a number")
	case math.IsInf(v, 0):
		f.add(path, "is infinite")
	case v < 0:
		f.add(path, "is negative: %g", v)
	}
}

// Validate finds every fault of the problem: negative, infinite and undefined
// numbers, lists of the wrong length, unknown indexes, and sums that overflow.
// The error joins one *FieldError for each.
func (p *Problem) Validate() error {
	if p.Models != nil {
		return p.validateModels()
	}
	var f faults
	p.checkChain(&f)
	p.checkNodes(&f)
	p.checkLinks(&f)
	p.checkLimits(&f)
	p.checkStart(&f)
	if len(f.all) == 0 {
		p.checkSums(&f)
	}
	return errors.Join(f.all...)
}

func (p *Problem) checkChain(f *faults) {
	l := p.Segments()
	if l == 0 {
		f.add("segment_bytes", "is empty; at least one segment is needed")
	}
	if len(p.CutBytes) != l+1 {
		f.add("cut_bytes", "has %d entries; %d are needed, one more than there are segments", len(p.CutBytes), l+1)
	}
	f.amounts("cut_bytes", p.CutBytes)
	f.amounts("segment_bytes", p.SegmentBytes)
	if p.ActivationBytes != nil {
		f.length("activation_bytes", len(p.ActivationBytes), l, "segment")
		f.amounts("activation_bytes", p.ActivationBytes)
	}
	if p.SegmentNames != nil {
		f.length("segment_names", len(p.SegmentNames), l, "segment")
	}
	f.amount("in_buffers", p.InBuffers)
	f.amount("out_buffers", p.OutBuffers)
}

func (p *Problem) checkNodes(f *faults) {
	n, l := len(p.Nodes), p.Segments()
	if n == 0 {
		f.add("nodes", "is empty; at least one node is needed")
	}
	for v, node := range p.Nodes {
		path := fmt.Sprintf("nodes[%d]", v)
		f.amount(path+".memory_bytes", node.MemoryBytes)
		f.amount(path+".base_bytes", node.BaseBytes)
		f.number(path+".stage_seconds", node.StageSeconds)
		f.number(path+".cpu_seconds_per_byte", node.CPUSecondsPerByte)
		f.number(path+".send_bytes_per_second", node.SendBytesPerSecond)
		f.number(path+".receive_bytes_per_second", node.ReceiveBytesPerSecond)
		p.checkRanges(f, path+".range_seconds", node.RangeSeconds)
		f.length(path+".segment_seconds", len(node.SegmentSeconds), l, "segment")
		for s, t := range node.SegmentSeconds {
			f.number(fmt.Sprintf("%s.segment_seconds[%d]", path, s), t)
		}
	}
	if p.HeldBytes == nil || !f.length("held_bytes", len(p.HeldBytes), n, "node") {
		return
	}
	for v, held := range p.HeldBytes {
		path := fmt.Sprintf("held_bytes[%d]", v)
		if held != nil {
			f.length(path, len(held), l, "segment")
		}
		f.amounts(path, held)
	}
}

func (p *Problem) checkRanges(f *faults, path string, ranges []Range) {
	seen := map[[2]int]bool{}
	for i, r := range ranges {
		at := fmt.Sprintf("%s[%d]", path, i)
		first := f.index(at+"[0]", r.First, p.Segments(), "segment")
		last := f.index(at+"[1]", r.Last, p.Segments(), "segment")
		if first && last && r.Last < r.First {
			f.add(at+"[1]", "%d lies before the first segment, %d", r.Last, r.First)
		}
		if seen[[2]int{r.First, r.Last}] {
			f.add(at, "is listed twice: %d to %d", r.First, r.Last)
		}
		seen[[2]int{r.First, r.Last}] = true
		f.number(at+"[2]", r.Seconds)
	}
}

func (p *Problem) checkLinks(f *faults) {
	f.matrix("bandwidth_bytes_per_second", p.Bandwidth, len(p.Nodes))
	if p.Latency != nil {
		f.matrix("latency_seconds", p.Latency, len(p.Nodes))
	}
	if p.Gateway != nil {
		f.index("gateway", *p.Gateway, len(p.Nodes), "node")
	}
	for k, shared := range p.Shared {
		seen := map[[2]int]bool{}
		for i, pair := range shared.Pairs {
			path := fmt.Sprintf("shared[%d].pairs[%d]", k, i)
			from := f.index(path+"[0]", pair[0], len(p.Nodes), "node")
			to := f.index(path+"[1]", pair[1], len(p.Nodes), "node")
			if from && to && pair[0] == pair[1] {
				f.add(path, "goes from node %d to itself", pair[0])
			}
			if seen[pair] {
				f.add(path, "is listed twice: %d to %d", pair[0], pair[1])
			}
			seen[pair] = true
		}
	}
}

func (f *faults) matrix(path string, rows [][]float64, n int) {
	if !f.length(path, len(rows), n, "node") {
		return
	}
	for u, row := range rows {
		at := fmt.Sprintf("%s[%d]", path, u)
		if !f.length(at, len(row), n, "node") {
			continue
		}
		for v, x := range row {
			if v != u { // the diagonal is not read
				f.number(fmt.Sprintf("%s[%d]", at, v), x)
			}
		}
	}
}

func (p *Problem) checkLimits(f *faults) {
	n, l := len(p.Nodes), p.Segments()
	for i, b := range p.AllowedCuts {
		if b < 1 || b > l-1 {
			f.add(fmt.Sprintf("allowed_cuts[%d]", i), "%d is no inner position; they are 1 to %d", b, l-1)
		}
	}
	if p.MaxStages < 0 {
		f.add("max_stages", "is negative: %d; 0 means as many as there are nodes", p.MaxStages)
	}
	for i, pin := range p.Pinned {
		path := fmt.Sprintf("pinned[%d]", i)
		f.index(path+".segment", pin.Segment, l, "segment")
		f.index(path+".node", pin.Node, n, "node")
	}
	for i, v := range p.ExcludedNodes {
		f.index(fmt.Sprintf("excluded_nodes[%d]", i), v, n, "node")
	}
}

func (p *Problem) checkStart(f *faults) {
	for i, s := range p.Start {
		path := fmt.Sprintf("start[%d]", i)
		f.index(path+".node", s.Node, len(p.Nodes), "node")
		first := f.index(path+".first_segment", s.FirstSegment, p.Segments(), "segment")
		last := f.index(path+".last_segment", s.LastSegment, p.Segments(), "segment")
		if first && last && s.LastSegment < s.FirstSegment {
			f.add(path+".last_segment", "%d lies before the first segment, %d", s.LastSegment, s.FirstSegment)
		}
	}
}
