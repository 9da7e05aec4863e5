package solver

import "time"

// Status says what is known of a Solution.
type Status string

// The statuses of the problem file format.
const (
	Optimal    Status = "optimal"    // the lower bound meets the cost: proven
	Feasible   Status = "feasible"   // it fits; a better one may exist
	Infeasible Status = "infeasible" // proven: nothing fits; Reason names the tightest limit
	Unknown    Status = "unknown"    // nothing found and nothing proven in the time given
)

// Algorithm names a way of solving.
type Algorithm string

// The algorithms.
const (
	Auto   Algorithm = "auto"   // both sides of the gap narrowed, and ties settled where that is quick
	Exact  Algorithm = "exact"  // a proven optimum of cuts and nodes together
	Greedy Algorithm = "greedy" // best of simple walks; quick, no proof
	KPath  Algorithm = "kpath"  // the paper's: cuts of least bytes, then k-path matching
	Random Algorithm = "random" // the paper's baseline: random cuts and nodes
)

// Algorithms lists every algorithm that Solve knows.
func Algorithms() []Algorithm { return []Algorithm{Auto, Exact, Greedy, KPath, Random} }

// Options of Solve.
type Options struct {
	Algorithm Algorithm     // "" is Auto
	TimeLimit time.Duration // 0 is none; running out ends the search with the best so far
	WorkLimit int64         // 0 is none; as TimeLimit, but counted as Solution.Work is, so that it ends at the same place on any machine
	Seed      uint64        // of the draws of KPath and Random

	unreasoned bool // an infeasible problem gets no Conflict
	// cheap begins with a local search from the start placement, and does not raise
	// the lower bound by prices, which takes long.
	cheap bool
}

// Solution is an answer of Solve.
type Solution struct {
	Status Status
	// Stages in pipeline order; nil unless Status is Optimal or Feasible, and where
	// the problem has models.
	Stages []Placed
	// Placements are the stages of each model where the problem has models; nil
	// unless Status is Optimal or Feasible.
	Placements [][]Placed
	// Model is the one that Reason is about where the problem has models and is
	// infeasible because of one; nil else.
	Model *int
	// Cost as Evaluate or EvaluateModels defines it; nil when there are no stages.
	Cost *Cost
	// LowerBoundSeconds is proven: no placement has a smaller bottleneck.
	// It is rounded down.
	LowerBoundSeconds float64
	Algorithm         Algorithm
	// Reason is why the search stopped early, or which limit makes the problem
	// infeasible and by how much; "" for a proven optimum with its ties settled.
	Reason string
	// Conflict is why nothing fits; nil unless Status is Infeasible. Reason says it
	// in one sentence.
	Conflict *Conflict
	// Work counts the labels, nodes or rounds that were looked at.
	Work int64
}

// Gap is (bottleneck - lower bound) / bottleneck, 0 when proven optimal.
func (s *Solution) Gap() float64 {
	if s.Cost == nil || s.Cost.BottleneckSeconds <= 0 {
		return 0
	}
	return max(0, (s.Cost.BottleneckSeconds-s.LowerBoundSeconds)/s.Cost.BottleneckSeconds)
}

// Cost is what a placement costs per inference. Where the problem has models it is
// what the placements of all of them cost together, and Models has what each costs.
type Cost struct {
	// BottleneckSeconds is the time of the busiest resource; the throughput is
	// its reciprocal. With models it is the time for as many inferences of each as
	// its required throughput.
	BottleneckSeconds float64
	// Bottleneck is that resource.
	Bottleneck Resource
	// LatencySeconds is one inference through an empty pipeline: every stage
	// and every transfer, propagation included. With models it is the longest.
	LatencySeconds float64
	// MovedBytes are weights that the nodes of the placement do not hold yet.
	MovedBytes int64
	Stages     []StageCost // one for each stage
	// Transfers over links in pipeline order. A transfer from the gateway to
	// itself is not listed.
	Transfers []Transfer
	// Resources are all busy resources with their seconds per inference, in a
	// fixed order: nodes, links, shared networks, interfaces.
	Resources []Resource
	// Models has one entry for each model of the problem; Stages and Transfers are
	// then in these.
	Models []ModelCost
}

// ModelCost is one model of a Cost.
type ModelCost struct {
	// Throughput in inferences per second that the model reaches while all others
	// run too: its required throughput over the bottleneck.
	Throughput float64
	// Alone is what one inference costs while no other model runs.
	Alone *Cost
}

// StageCost is one stage of a Cost.
type StageCost struct {
	Seconds     float64
	MemoryBytes int64 // needed, all parts included
}

// Transfer is one cut moved over one link.
type Transfer struct {
	Cut      int // position, 0..L
	From, To int // nodes
	Bytes    int64
	Seconds  float64 // Bytes over the slowest of the link and the interfaces at its ends
	Latency  float64 // seconds of propagation
}

// ResourceKind is what kind of thing is busy.
type ResourceKind string

// The kinds of resource.
const (
	NodeResource    ResourceKind = "node"
	LinkResource    ResourceKind = "link"
	NetworkResource ResourceKind = "network"
	// InterfaceResource is one direction of a node's interface.
	InterfaceResource ResourceKind = "interface"
)

// The directions of an interface.
const (
	InterfaceOut = 0
	InterfaceIn  = 1
)

// Resource is one thing that is busy for some seconds per inference.
type Resource struct {
	Kind    ResourceKind
	From    int // the node; a link's sender; the index of a shared network
	To      int // a link's receiver; of an interface InterfaceOut or InterfaceIn
	Seconds float64
}
