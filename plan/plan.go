// Package plan turns a configuration and its models into the desired state,
// and the difference from what is deployed into changes. It uses no network
// and no clock: the same input gives the same plan.
package plan

import (
	"io"
	"time"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Action is what happens to one thing, written as its printed symbol.
type Action string

// The actions.
const (
	NoOp    Action = " "
	Create  Action = "+"
	Update  Action = "~"
	Delete  Action = "-"
	Replace Action = "-/+" // the slice moves to another node
)

// Change is one line of the diff.
type Change struct {
	Action  Action
	Address string // slice.resnet50[0], gateway.resnet50, or a node to clean
	Model   string
	// Before and After; nil when created or deleted. A gateway without a
	// stage has neither.
	Before, After         *statefile.Slice
	BeforeNode, AfterNode string
	Reasons               []string // why, as "slice digest changed: model file"
	// UploadBytes this change moves to AfterNode. A blob that several changes
	// bring to one node counts for the first.
	UploadBytes int64
}

// Plan is what would happen: a value that can be printed, or handed to the deployer.
type Plan struct {
	Prior   *statefile.State
	Desired *statefile.State // Nodes, Models and Outputs as they shall be

	Changes []Change // in order of address, without NoOp
	Models  []Model  // in order of name: what to print of each desired model
	Uploads []Upload // by node, each blob once; what the devices lack by what is known
	// Deployments are the models that change, in order of name: what the
	// deployer does. Destroying is a Deployment with a nil To.
	Deployments []Deployment

	// Blobs opens the content of every blob of Desired, by digest.
	Blobs BlobSource

	destroy    bool            // made by Destroy
	configured map[string]bool // enabled nodes of the configuration
}

// Deployment is one pipeline going from one release to another.
type Deployment struct {
	Model    string
	From, To *statefile.Model // nil: not deployed; to be removed
	Switch   Switch
	// Manifests of To by node address; nil when To is nil.
	Manifests map[string]worker.Manifest
}

// Drift is something found on a device that differs from the state.
type Drift struct {
	Model, Node string
	Problem     string // "the worker is not running", "release 1f… is missing"
}

// BlobSource opens blobs by digest.
type BlobSource interface {
	// Open gives the content of a blob; the caller closes it.
	Open(digest string) (io.ReadCloser, error)
}

// Upload is one blob that one node lacks.
type Upload struct {
	Node string
	Blob statefile.Blob
}

// Switch is how a pipeline goes from one release to the next.
type Switch string

// The ways to switch.
const (
	// Beside starts the new release beside the old one: no pause.
	Beside Switch = "beside"
	// StopFirst stops the old release before the new one starts, because a
	// node's memory does not hold both.
	StopFirst Switch = "stop-first"
)

// Model is one desired pipeline with what the solver said of it.
type Model struct {
	Name      string
	Gateway   string
	Status    solver.Status
	Algorithm solver.Algorithm
	Reason    string // why the solver stopped before a proof
	Gap       float64
	Stages    []Stage
	Transfers []Transfer
	// Bottleneck by name: "node node.pi[\"hall\"]", "link a -> b", "network wifi".
	// Where there are several models it is what all of them keep busiest together,
	// and its seconds are those between two inferences of this one.
	Bottleneck          string
	BottleneckSeconds   float64
	LowerBoundSeconds   float64
	ThroughputPerSecond float64
	LatencySeconds      float64
	Switch              Switch // how it replaces what is deployed
	// Before is the prediction of the deployed release; nil when there is none.
	Before *statefile.Prediction
	// Offer is a better placement that is not taken because it saves less than
	// the threshold; nil when there is none.
	Offer *Offer
	// Explain is what limits the placement; nil unless the input asks for it.
	Explain *Explanation `json:"explain,omitempty"`
}

// Offer is a better placement within the replan threshold.
type Offer struct {
	ThroughputPerSecond float64
	Gain                float64 // share of the bottleneck that it would save
}

// Stage is one printed stage.
type Stage struct {
	Index       int
	Node        string // the device
	FirstNode   string // of the graph
	LastNode    string
	Segments    int
	WeightBytes int64
	MemoryBytes int64 // needed
	MemoryLimit int64 // allowed
	Seconds     float64
	FLOPs       int64
}

// Transfer is one printed transfer.
type Transfer struct {
	From, To string
	Via      string // link.hall_gate or network.wifi
	Tensors  []tensor.Info
	Bytes    int64
	Seconds  float64
	Latency  time.Duration
}

// Empty says whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// UploadBytes is the sum of all uploads.
func (p *Plan) UploadBytes() int64 {
	var n int64
	for _, u := range p.Uploads {
		n += u.Blob.Size
	}
	return n
}
