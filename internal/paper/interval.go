package paper

// UnitWeights says which parts fit in the terms of a chain whose parts need the sum
// of their pieces: weights of the candidate points and a limit, such that points
// i..j-1 fit by the published rule if and only if their weights add up to at most the
// limit. The published rule is no such sum, since it leaves a block out at the end of
// each part. But what fits on one node also fits in part, so the stretches that fit
// are a proper interval order of the positions between the points, and every proper
// interval order has a representation by intervals of one length (F. S. Roberts,
// "Indifference graphs", 1969). The weights are the distances in that.
func (c *Chain) UnitWeights(capacity int64) (weights []int64, limit int64) {
	end := len(c.Points)
	limit = int64(end + 1) // no cycle of the constraints has more than end
	at := make([]int64, end+1)
	for c.stretch(at, limit, capacity) {
	}
	for j := 1; j <= end; j++ {
		weights = append(weights, at[j]-at[j-1])
	}
	return weights, limit
}

// stretch moves positions to the right as far as the constraints on their differences
// ask for it, and says whether any moved: one round of Bellman and Ford.
func (c *Chain) stretch(at []int64, limit, capacity int64) (moved bool) {
	atLeast := func(j int, x int64) {
		if at[j] < x {
			at[j], moved = x, true
		}
	}
	first := 0 // from where the points up to j fit
	for j := 1; j < len(at); j++ {
		for !c.Fits(first, j, capacity) {
			first++
		}
		atLeast(j, at[j-1])
		atLeast(first, at[j]-limit)
		if first > 0 {
			atLeast(j, at[first-1]+limit+1)
		}
	}
	return moved
}
