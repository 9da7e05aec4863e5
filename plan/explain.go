package plan

import (
	"context"
	"slices"

	"github.com/edgeplan/edgeplan/solver"
)

// Explanation says what limits a placement and what would help most, as it is
// printed.
type Explanation struct {
	Resources []Slack `json:"resources"` // all that are busy, the bottleneck first
	Gains     []Gain  `json:"gains"`     // the best first
	// Tried counts the changes that were tried, Untried those for which the bounded
	// work did not suffice.
	Tried   int `json:"tried"`
	Untried int `json:"untried"`
}

// Slack is how far a resource is from being the bottleneck.
type Slack struct {
	Resource     string  `json:"resource"`
	Seconds      float64 `json:"seconds"`
	Share        float64 `json:"share"` // of the bottleneck's seconds
	SlackSeconds float64 `json:"slack_seconds"`
}

// Gain is what one change of the cluster would bring.
type Gain struct {
	Kind              solver.ChangeKind `json:"kind"`
	Change            string            `json:"change"`
	BottleneckSeconds float64           `json:"bottleneck_seconds"`
	// ThroughputPerSecond and Gain, the share that this is more, are nil where
	// nothing takes any time any more. Without Proven they are at least so much.
	ThroughputPerSecond *float64 `json:"throughput_per_second"`
	Gain                *float64 `json:"gain"`
	Proven              bool     `json:"proven"`
	Moves               bool     `json:"moves"` // with another placement
	MemoryBytes         int64    `json:"memory_bytes,omitempty"`
}

// NewExplanation writes an explanation of the solver with names.
func NewExplanation(x *solver.Explanation, name func(solver.Resource) string) *Explanation {
	out := &Explanation{Resources: []Slack{}, Gains: []Gain{}, Tried: x.Tried, Untried: x.Untried}
	for _, r := range x.Resources {
		out.Resources = append(out.Resources, Slack{name(r.Resource), r.Seconds, r.Share, r.SlackSeconds})
	}
	for _, g := range x.Gains {
		gain := Gain{Kind: g.Kind, Change: g.Change, BottleneckSeconds: g.BottleneckSeconds, Proven: g.Proven, Moves: g.Moves, MemoryBytes: g.Bytes}
		if g.BottleneckSeconds > 0 {
			throughput := 1 / g.BottleneckSeconds
			gain.ThroughputPerSecond, gain.Gain = &throughput, &g.Gain
		}
		out.Gains = append(out.Gains, gain)
	}
	return out
}

// explain adds to the model planned last what limits it.
func (b *builder) explain(ctx context.Context, p *placed) error {
	if !b.in.Explain {
		return nil
	}
	name := func(r solver.Resource) string { return b.resourceName(p.problem, r) }
	problem, solution := p.problem, p.solution
	if p.together != nil {
		problem, solution = p.together.problem, p.together.solution
	}
	x, err := solver.Explain(ctx, problem, solution, solver.ExplainOptions{Name: name})
	if err != nil {
		return err
	}
	// How many nodes a model gets beside others is not the user's to say.
	x.Gains = slices.DeleteFunc(x.Gains, func(g solver.Gain) bool { return g.Kind == solver.StagesChange })
	b.models[len(b.models)-1].Explain = NewExplanation(x, name)
	return nil
}
