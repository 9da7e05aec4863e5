package solver

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Explanation says what limits a solution and what would help most.
type Explanation struct {
	// Resources are all busy ones, the busiest, which is the bottleneck, first.
	Resources []Slack
	// Gains are the changes that give a smaller bottleneck, the best first.
	Gains []Gain
	// Tried counts the changes that were tried, Untried those that the bounded work
	// did not suffice for.
	Tried, Untried int
}

// Slack is how far a resource is from being the bottleneck.
type Slack struct {
	Resource
	// Share is its time over that of the bottleneck, SlackSeconds how much longer
	// it could take per inference before it were the bottleneck.
	Share, SlackSeconds float64
}

// Gain is what one change of the problem brings.
type Gain struct {
	Kind   ChangeKind
	Change string // "10% more bandwidth on link a -> b", with the names of Explain's options
	// Resource is what has more; the zero Resource for pins, max_stages and placement.
	Resource Resource
	// BottleneckSeconds of the changed problem, and Gain, the share of throughput
	// that this adds. Without Proven a longer search may find even more.
	BottleneckSeconds, Gain float64
	Proven                  bool
	// Moves says that it takes another placement than the solution's.
	Moves bool
	// Bytes of memory, for MemoryChange.
	Bytes int64
}

// ExplainOptions of Explain.
type ExplainOptions struct {
	// Name names a resource in Gain.Change; nil is the problem's ResourceName.
	Name func(Resource) string
	// WorkLimit bounds the work over all changes, as Options.WorkLimit does; 0 is
	// some seconds of it.
	WorkLimit int64
}

// explainWork is the work of an explanation, and leastWork what every change gets.
const (
	explainWork = 1 << 26
	leastWork   = 1 << 17
)

// Explain says what limits a solution, and what would help: it changes one thing
// of the problem after the other and solves again, starting from the solution. The
// same input gives the same explanation, as long as the context does not end. With
// several models it tries no memory, pins and limits of single models.
func Explain(ctx context.Context, p *Problem, s *Solution, o ExplainOptions) (*Explanation, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if s.Cost == nil {
		return nil, errors.New("there is no placement to explain")
	}
	if o.Name == nil {
		o.Name = p.ResourceName
	}
	if o.WorkLimit == 0 {
		o.WorkLimit = explainWork
	}
	x := &explaining{ctx: ctx, p: startingFrom(p, s), s: s, name: o.Name, left: o.WorkLimit, out: &Explanation{}}
	x.slack()
	if s.Cost.BottleneckSeconds > 0 {
		x.gains()
	}
	return x.out, nil
}

// startingFrom is a problem whose search starts from a solution.
func startingFrom(p *Problem, s *Solution) *Problem {
	q := *p
	q.Start = s.Stages
	q.Models = slices.Clone(p.Models)
	for k := range q.Models {
		q.Models[k].Start = s.Placements[k]
	}
	return &q
}

// explaining is one run of Explain.
type explaining struct {
	ctx  context.Context
	p    *Problem
	s    *Solution
	name func(Resource) string
	left int64 // work
	out  *Explanation
}

// slack lists the resources from the busiest on.
func (x *explaining) slack() {
	most := x.s.Cost.BottleneckSeconds
	for _, r := range x.s.Cost.Resources {
		slack := Slack{Resource: r, Share: 1, SlackSeconds: max(0, most-r.Seconds)}
		if most > 0 {
			slack.Share = r.Seconds / most
		}
		x.out.Resources = append(x.out.Resources, slack)
	}
	slices.SortStableFunc(x.out.Resources, func(a, b Slack) int { return cmp.Compare(b.Seconds, a.Seconds) })
}

// gains tries all changes. Each gets an even share of the work that is left.
func (x *explaining) gains() {
	tries := x.tries()
	for k, try := range tries {
		share := x.left / int64(len(tries)-k)
		if x.left <= 0 || x.ctx.Err() != nil {
			x.out.Untried = len(tries) - k
			break
		}
		x.out.Tried++
		if g := try(max(share, leastWork)); g != nil {
			x.out.Gains = append(x.out.Gains, *g)
		}
	}
	slices.SortStableFunc(x.out.Gains, func(a, b Gain) int { return cmp.Compare(a.BottleneckSeconds, b.BottleneckSeconds) })
}

// solve solves a changed problem within some work; nil when it is not better than
// the solution.
func (x *explaining) solve(p *Problem, work int64) *Solution {
	s, err := Solve(x.ctx, p, Options{WorkLimit: work, unreasoned: true, cheap: true})
	n, l := int64(len(p.Nodes)), int64(p.Segments())
	for k := range p.Models {
		l += int64(p.Alone(k).Segments())
	}
	x.left -= n*n*(n+l)/2 + n*l*l/2 // what getting ready takes
	if err != nil {
		return nil // more of something that cannot be counted, and not worth a fault
	}
	x.left -= s.Work
	if s.Cost == nil || s.Cost.BottleneckSeconds >= x.s.Cost.BottleneckSeconds {
		return nil
	}
	return s
}

// try solves with one change.
func (x *explaining) try(of Resource, c change) func(work int64) *Gain {
	return func(work int64) *Gain {
		if s := x.solve(x.p.with(c), work); s != nil {
			return x.gain(of, c, s)
		}
		return nil
	}
}

func (x *explaining) gain(of Resource, c change, s *Solution) *Gain {
	of.Seconds = 0
	return &Gain{
		Kind: c.kind, Resource: of, Change: c.text, BottleneckSeconds: s.Cost.BottleneckSeconds,
		Gain:   x.s.Cost.BottleneckSeconds/s.Cost.BottleneckSeconds - 1,
		Proven: s.Status == Optimal,
		Moves:  !slices.Equal(s.Stages, x.s.Stages) || !slices.EqualFunc(s.Placements, x.s.Placements, slices.Equal),
	}
}
