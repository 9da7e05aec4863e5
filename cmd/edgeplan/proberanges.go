package main

import (
	"cmp"
	"math"
	"slices"

	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
)

// segmentRange is a range of segments, both ends included.
type segmentRange struct{ first, last int }

// mostPieces is into how many ranges of about the same work a model is divided.
const mostPieces = 12

// rangesToMeasure are those that together tell how long any range takes: the whole
// model, its halves and quarters, and small pieces of about the same work, all between
// places where a plan may cut. The whole and the parts of it differ by what the engine
// gains from seeing more at once, and by what a run costs by itself.
func rangesToMeasure(chain *onnx.Chain, optimization string) []segmentRange {
	last := len(chain.Segments)
	var ranges []segmentRange
	for _, parts := range []int{1, 2, 4, mostPieces} {
		bounds := divide(chain, plan.AllowedCuts(chain, optimization), parts)
		bounds = append(append([]int{0}, bounds...), last)
		for i := range len(bounds) - 1 {
			ranges = append(ranges, segmentRange{bounds[i], bounds[i+1] - 1})
		}
	}
	return distinctRanges(ranges)
}

// rangesToServe are those that a real worker runs as well: quarters, which differ in what they
// compute and in the messages around them.
func rangesToServe(chain *onnx.Chain, optimization string) []segmentRange {
	bounds := divide(chain, plan.AllowedCuts(chain, optimization), 4)
	bounds = append(append([]int{0}, bounds...), len(chain.Segments))
	var ranges []segmentRange
	for i := range len(bounds) - 1 {
		ranges = append(ranges, segmentRange{bounds[i], bounds[i+1] - 1})
	}
	return ranges
}

// distinctRanges are the ranges in order, long ones first, each once.
func distinctRanges(ranges []segmentRange) []segmentRange {
	slices.SortFunc(ranges, func(a, b segmentRange) int {
		return cmp.Or(cmp.Compare(b.last-b.first, a.last-a.first), cmp.Compare(a.first, b.first))
	})
	return slices.Compact(ranges)
}

// divide chooses of the allowed cuts those closest to where the work of a chain is
// divided into equal parts.
func divide(chain *onnx.Chain, allowed []int, parts int) []int {
	work := make([]float64, len(chain.Segments)+1) // before each position
	for i, segment := range chain.Segments {
		work[i+1] = work[i] + float64(segment.FLOPs) + 1
	}
	total := work[len(work)-1]
	var chosen []int
	for k := 1; k < parts && len(allowed) > 0; k++ {
		aim := total * float64(k) / float64(parts)
		chosen = append(chosen, slices.MinFunc(allowed, func(a, b int) int {
			return cmp.Compare(math.Abs(work[a]-aim), math.Abs(work[b]-aim))
		}))
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// rangeMemory is what a range takes at most beside an engine without one, in bytes.
func rangeMemory(chain *onnx.Chain, r segmentRange, optimization string) int64 {
	var weights, activations int64
	for _, segment := range chain.Segments[r.first : r.last+1] {
		weights += segment.WeightBytes
		activations = max(activations, segment.ActivationBytes)
	}
	return plan.LoadedBytes(weights, optimization) + activations + chain.Cuts[r.first].Bytes + chain.Cuts[r.last+1].Bytes
}

// rangeFLOPs is the work of a range.
func rangeFLOPs(chain *onnx.Chain, r segmentRange) (flops int64) {
	for _, segment := range chain.Segments[r.first : r.last+1] {
		flops += segment.FLOPs
	}
	return flops
}
