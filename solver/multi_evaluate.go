package solver

import "fmt"

// ModelError says which of several models an error is about.
type ModelError struct {
	Model int    // index
	Name  string // what messages call it
	Err   error
}

// Error is the model's name and its error.
func (e *ModelError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap gives the error without the model.
func (e *ModelError) Unwrap() error { return e.Err }

// EvaluateModels is Evaluate for a problem with models: one placement for each, in
// their order. Every placement costs by itself what Evaluate says of it, with times
// taken as often as the model's required throughput; the times of a resource add up
// over models, and so do the bytes of the stages on a node, base and all. With one
// model that requires 1 the bottleneck is that of Evaluate.
//
// A placement that breaks a rule gets a *ModelError around a *PlacementError.
func EvaluateModels(p *Problem, placements [][]Placed) (*Cost, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(placements) != len(p.Models) {
		return nil, fmt.Errorf("there are %d placements for %d models", len(placements), len(p.Models))
	}
	return p.evaluateModels(placements)
}

// evaluateModels is EvaluateModels for a problem that is known to be valid.
func (p *Problem) evaluateModels(placements [][]Placed) (*Cost, error) {
	e := evaluation{p: p, cost: &Cost{}}
	used := make([]int64, len(p.Nodes))
	for k, stages := range placements {
		alone, err := p.Alone(k).evaluate(stages)
		if err != nil {
			return nil, &ModelError{k, p.modelName(k), err}
		}
		if err := p.addMemory(used, stages, alone); err != nil {
			return nil, &ModelError{k, p.modelName(k), err}
		}
		if err := e.addModel(k, stages, alone); err != nil {
			return nil, &ModelError{k, p.modelName(k), err}
		}
	}
	e.resources()
	for k := range e.cost.Models {
		e.cost.Models[k].Throughput = p.Models[k].required() / e.cost.BottleneckSeconds
		e.cost.LatencySeconds = max(e.cost.LatencySeconds, e.cost.Models[k].Alone.LatencySeconds)
	}
	return e.cost, nil
}

// addMemory puts a model's stages beside those of the models before it.
func (p *Problem) addMemory(used []int64, stages []Placed, alone *Cost) error {
	for i, s := range stages {
		node, need := p.Nodes[s.Node], alone.Stages[i].MemoryBytes
		if over := used[s.Node] + need - node.MemoryBytes; over > 0 {
			return broken(RuleMemory, i, s.Node, over, "needs %s on %s beside %s of other models, and the node allows %s: %s too much",
				mebibytes(need), p.nodeName(s.Node), mebibytes(used[s.Node]), mebibytes(node.MemoryBytes), mebibytes(over))
		}
		used[s.Node] += need
	}
	return nil
}

// addModel adds what a model keeps busy at its required throughput.
func (e *evaluation) addModel(k int, stages []Placed, alone *Cost) error {
	at, err := e.p.scaled(k).evaluated(stages)
	if err != nil {
		return err // a link so slow that it is none at this rate
	}
	for _, r := range at.busy {
		e.occupy(r.kind, r.from, r.to, r.ps)
	}
	e.cost.MovedBytes += alone.MovedBytes
	e.cost.Models = append(e.cost.Models, ModelCost{Alone: alone})
	return nil
}
