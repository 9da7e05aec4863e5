package solver

import "fmt"

// whyInfeasible names the model that is one too many, where there is one, and what
// all need together.
func (r *jointRun) whyInfeasible() (why string, model *int) {
	need, room := int64(0), int64(0)
	for _, c := range r.j.chains {
		need += c.m.weight[c.m.end]
	}
	for _, free := range r.j.room {
		room += free
	}
	together := fmt.Sprintf("together their segments need %s, without activations, buffers and the base of each stage, and the nodes allow %s",
		mebibytes(need), mebibytes(room))
	for k := len(r.p.Models) - 1; k >= 0; k-- {
		if r.fitWithout(k) {
			return fmt.Sprintf("%s does not fit beside the other models, which fit without it: %s", r.p.modelName(k), together), &k
		}
	}
	return fmt.Sprintf("the %d models fit one by one, but not side by side: %s", len(r.p.Models), together), nil
}

// fitWithout says whether placements of all models but one are found.
func (r *jointRun) fitWithout(k int) bool {
	if len(r.p.Models) == 1 {
		return false
	}
	p := *r.p
	p.Models, p.Nodes = without(p.Models, k), nil
	for _, node := range r.p.Nodes {
		node.ModelSeconds = without(node.ModelSeconds, k)
		if node.ModelStageSeconds != nil {
			node.ModelStageSeconds = without(node.ModelStageSeconds, k)
		}
		if node.ModelRanges != nil {
			node.ModelRanges = without(node.ModelRanges, k)
		}
		p.Nodes = append(p.Nodes, node)
	}
	s, err := Solve(r.b.ctx, &p, Options{Algorithm: Greedy})
	return err == nil && s.Cost != nil
}

func without[T any](list []T, k int) []T {
	out := append([]T{}, list[:k]...)
	return append(out, list[k+1:]...)
}
