package solver

import "fmt"

// Rule is a rule that a placement can break.
type Rule string

// The rules of a placement.
const (
	RuleCoverage Rule = "coverage" // the stages are the whole chain, in order, each segment once
	RuleOnce     Rule = "once"     // a node holds at most one stage
	RuleExcluded Rule = "excluded" // no stage on an excluded node
	RuleCut      Rule = "cut"      // cuts only where they are allowed
	RulePin      Rule = "pin"      // pinned segments on their node
	RuleStages   Rule = "stages"   // no more stages than max_stages
	RuleMemory   Rule = "memory"   // a stage fits its node
	RuleLink     Rule = "link"     // neighbours are connected
)

// PlacementError says which rule a placement breaks, where and by how much.
type PlacementError struct {
	Rule  Rule
	Stage int // index of the stage; of the receiving one for a link
	// Node of the stage; the sender for a link.
	Node int
	// Over is by how much: bytes for RuleMemory, stages for RuleStages, else 0.
	Over    int64
	Message string
}

// Error is the stage, the rule and the message.
func (e *PlacementError) Error() string {
	return fmt.Sprintf("stage %d: %s", e.Stage, e.Message)
}

func broken(rule Rule, stage, node int, over int64, format string, args ...any) *PlacementError {
	return &PlacementError{Rule: rule, Stage: stage, Node: node, Over: over, Message: fmt.Sprintf(format, args...)}
}

// nodeName is what messages call a node.
func (p *Problem) nodeName(v int) string {
	if v >= 0 && v < len(p.Nodes) && p.Nodes[v].Name != "" {
		return p.Nodes[v].Name
	}
	return fmt.Sprintf("node %d", v)
}

// segmentName is what messages call a segment.
func (p *Problem) segmentName(s int) string {
	if s < len(p.SegmentNames) && p.SegmentNames[s] != "" {
		return fmt.Sprintf("segment %d (%s)", s, p.SegmentNames[s])
	}
	return fmt.Sprintf("segment %d", s)
}

// byteUnit is the unit that bytes are printed in, with one decimal.
func byteUnit(n int64) (size int64, name string) {
	switch n = max(n, -n); {
	case n < 1<<10:
		return 1, "B"
	case n < 1<<20:
		return 1 << 10, "KiB"
	case n < 1<<40:
		return 1 << 20, "MiB"
	}
	return 1 << 30, "GiB"
}

// mebibytes prints bytes as a person reads them.
func mebibytes(n int64) string {
	size, name := byteUnit(n)
	if size == 1 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", float64(n)/float64(size), name)
}

// atLeast is mebibytes rounded up, so that what is printed is enough.
func atLeast(n int64) string {
	size, name := byteUnit(n)
	if size == 1 {
		return fmt.Sprintf("%d B", n)
	}
	tenths := n/size*10 + (n%size*10+size-1)/size
	return fmt.Sprintf("%d.%d %s", tenths/10, tenths%10, name)
}
