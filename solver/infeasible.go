package solver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Conflict says why a problem has no placement.
type Conflict struct {
	// Limit is the tightest limit and by how much it is missed, in one sentence
	// without a full stop.
	Limit string
	// Nodes and Segments are those that Limit is about.
	Nodes, Segments []int
	// Remedies are smallest changes for which a placement was found, each enough by
	// itself. There are none where the bounded search for them found none.
	Remedies []Remedy
}

// Remedy is what would be enough.
type Remedy struct {
	Text  string       // "54.0 MiB more memory on pi-1"
	Kinds []ChangeKind // of its parts, which are needed together
}

// String is the limit and what would help.
func (c *Conflict) String() string {
	text := c.Limit
	for k, r := range c.Remedies {
		if text += ", or "; k == 0 {
			text = c.Limit + "; enough would be "
		}
		text += r.Text
	}
	return text
}

// Without drops the remedies that have a part of some kinds, which the caller cannot
// change.
func (c *Conflict) Without(kinds ...ChangeKind) *Conflict {
	out := *c
	out.Remedies = slices.DeleteFunc(slices.Clone(c.Remedies), func(r Remedy) bool {
		return slices.ContainsFunc(r.Kinds, func(k ChangeKind) bool { return slices.Contains(kinds, k) })
	})
	return &out
}

// limit is a Conflict's first half. No change that falls short of what it says
// makes a placement possible.
type limit struct {
	text            string
	nodes, segments []int
	short           []change // changes that only just fall short
}

// diagnosis looks for the limits that leave no placement.
type diagnosis struct {
	p      *Problem
	needs  *needs
	usable []int
	asked  int64 // so much more memory on every node is not enough: the limit says so
	o      *oracle
}

func newDiagnosis(ctx context.Context, p *Problem) *diagnosis {
	return &diagnosis{p: p, needs: newNeeds(p), usable: p.usableNodes(), o: &oracle{ctx: ctx, work: oracleWork}}
}

// conflict explains a problem that is proven to have no placement.
func conflict(ctx context.Context, p *Problem) *Conflict {
	d := newDiagnosis(ctx, p)
	found := d.limit()
	out := &Conflict{Limit: found.text, Nodes: found.nodes, Segments: found.segments}
	for _, r := range d.remedies() {
		named := Remedy{Text: r.text()}
		for _, c := range r.changes {
			named.Kinds = append(named.Kinds, c.kind)
		}
		out.Remedies = append(out.Remedies, named)
	}
	return out
}

// limit lifts one kind of limit after the other, in the order in which a person
// would look: no node left, pins, one stage too large, too many stages, memory as
// a whole, links.
func (d *diagnosis) limit() *limit {
	for _, look := range []func() *limit{
		d.allExcluded, d.pinExcluded, d.pinnedApart, d.pinnedAround, d.pinnedTooLarge, d.tooLarge, d.tooMany, d.tooLittle,
		d.gatewayCut, d.unlinked, d.stagesTooFew, d.pinsTooTight, d.cutsTooFew, d.excludedNeeded,
	} {
		if found := look(); found != nil {
			return found
		}
	}
	return &limit{text: fmt.Sprintf("no single limit is to blame: the segments need %s in all, without activations and buffers, and %s with %s in all cannot be made to hold them",
		mebibytes(d.needs.weight[d.p.Segments()]), nodes(len(d.usable)), mebibytes(d.roomOf(d.usable)))}
}

func (d *diagnosis) allExcluded() *limit {
	if len(d.usable) > 0 {
		return nil
	}
	return &limit{text: fmt.Sprintf("all %s are excluded", nodes(len(d.p.Nodes)))}
}

// roomOf adds up the memory that nodes have for stages.
func (d *diagnosis) roomOf(list []int) int64 {
	sum := int64(0)
	for _, v := range list {
		if room := max(0, d.p.room(v)); sum < never {
			sum += min(room, never)
		}
	}
	return sum
}

// tooLarge finds the block that misses the memory of every node by most, the
// smallest stage with it taken.
func (d *diagnosis) tooLarge() *limit {
	largest := slices.MaxFunc(d.usable, func(u, v int) int { return cmp.Compare(d.p.room(u), d.p.room(v)) })
	least := d.needs.leastOfBlocks()
	block := 0
	for a, need := range least {
		if need > least[block] {
			block = a
		}
	}
	over := least[block] - d.p.room(largest)
	if over <= 0 {
		return nil
	}
	text := fmt.Sprintf("%s needs %s on a node%s; the largest node, %s, allows %s: %s too little", d.blockName(block),
		mebibytes(least[block]+d.p.Nodes[largest].BaseBytes), d.parts(block, block, largest, least[block]), d.p.nodeName(largest),
		mebibytes(d.p.Nodes[largest].MemoryBytes), mebibytes(over))
	d.asked = over - 1
	return &limit{text: text, nodes: []int{largest}, segments: d.segments(block, block),
		short: []change{moreMemory(over-1, "every node", d.usable...)}}
}

// parts tells how much of a need is the base of the node, and how much the
// buffers of the cuts, where they are what makes the stage too large.
func (d *diagnosis) parts(a, z, node int, need int64) string {
	first, last := d.needs.cuts[a], d.needs.cuts[z+1]
	weights := d.needs.weight[last] - d.needs.weight[first]
	var parts []string
	if base := d.p.Nodes[node].BaseBytes; base > 0 {
		parts = append(parts, mebibytes(base)+" of it whatever runs there")
	}
	if rest := need - weights; rest > 0 && weights <= d.p.room(node) {
		parts = append(parts, mebibytes(rest)+" for activations and the buffers of its cuts")
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (d *diagnosis) segments(a, z int) []int {
	var out []int
	for s := d.needs.cuts[a]; s < d.needs.cuts[z+1]; s++ {
		out = append(out, s)
	}
	return out
}

func (d *diagnosis) blockName(a int) string {
	first, last := d.needs.cuts[a], d.needs.cuts[a+1]-1
	if first == last {
		return d.p.segmentName(first)
	}
	return fmt.Sprintf("the block from %s to %s, in which no cut is allowed,", d.p.segmentName(first), d.p.segmentName(last))
}

// tooMany compares the stages that the largest node asks for with what there is.
func (d *diagnosis) tooMany() *limit {
	room := int64(0)
	for _, v := range d.usable {
		room = max(room, d.p.room(v))
	}
	least, have := d.needs.fewest(room), len(d.usable)
	limited := d.p.MaxStages > 0 && d.p.MaxStages < have
	if limited {
		have = d.p.MaxStages
	}
	if least <= have {
		return nil
	}
	text := fmt.Sprintf("at least %d stages of at most %s are needed, since no node allows a larger one; ", least, mebibytes(room))
	if limited {
		return &limit{text: text + fmt.Sprintf("max_stages allows %d", have), short: []change{maxStages(least - 1)}}
	}
	return &limit{text: text + fmt.Sprintf("%s are available", nodes(have)), nodes: d.usable, short: d.fewerNodes(least - have - 1)}
}

func (d *diagnosis) fewerNodes(n int) []change {
	var out []change
	for _, v := range d.usable {
		out = append(out, d.p.moreNodes(n, v))
	}
	return out
}

// tooLittle compares the memory of all nodes that can be used at once with what
// the segments need without activations and buffers.
func (d *diagnosis) tooLittle() *limit {
	largest := slices.Clone(d.usable)
	slices.SortStableFunc(largest, func(u, v int) int { return cmp.Compare(d.p.room(v), d.p.room(u)) })
	name := fmt.Sprintf("the %s", nodes(len(largest)))
	if k := d.p.MaxStages; k > 0 && k < len(largest) {
		largest = largest[:k]
		name = fmt.Sprintf("the %d largest nodes, as many as max_stages allows,", k)
	}
	need, have := d.needs.weight[d.p.Segments()], d.roomOf(largest)
	if need <= have {
		return nil
	}
	short := (need - have - 1) / int64(len(largest)) // on each, not enough
	if slices.ContainsFunc(d.usable, func(v int) bool { return d.p.room(v) < 0 }) {
		short = 0
	}
	return &limit{
		text: fmt.Sprintf("the segments need %s in all, without activations and buffers; %s have %s for them: %s too little",
			mebibytes(need), name, mebibytes(have), mebibytes(need-have)),
		nodes: largest, short: []change{moreMemory(short, "every node", d.usable...)},
	}
}
