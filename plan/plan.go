// Package plan turns a configuration and its models into the desired state,
// and the difference from what is deployed into changes. It uses no network
// and no clock: the same input gives the same plan.
package plan

import (
	"io"

	"github.com/edgeplan/edgeplan/config"
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

// Mode is what a plan is for.
type Mode string

// The modes.
const (
	Normal      Mode = "normal"       // bring the devices to what the configuration says
	Destroying  Mode = "destroy"      // remove what is deployed
	RefreshOnly Mode = "refresh-only" // tell what was found, and change no device
	RollingBack Mode = "rollback"     // bring a model back to its release before
)

// Plan is what would happen: a value that can be printed, or handed to the deployer.
type Plan struct {
	Mode    Mode
	Prior   *statefile.State
	Desired *statefile.State // Nodes, Models and Outputs as they shall be

	Changes []Change // in order of address, without NoOp
	Models  []Model  // in order of name: what to print of each desired model
	Uploads []Upload // by node, each blob once; what the devices lack by what is known
	// Deployments are the models that change, in order of name: what the
	// deployer does. Destroying is a Deployment with a nil To.
	Deployments []Deployment

	// Uplink is what the operator's line carries to all devices together, in bytes per
	// second; 0 is not known.
	Uplink float64

	// Blobs opens the content of every blob of Desired, by digest.
	Blobs BlobSource

	Outputs []OutputChange // in order of name; those that change
	// Drift is what was found on the devices, where they were asked.
	Drift     []Drift
	Refreshed bool // whether they were asked
	// Replacements are the slices to push and start again on demand, and Targets
	// the models that the plan is limited to; none is no limit.
	Replacements []Replacement
	Targets      []string
	// Excluded are nodes that are left out for now, and Disabled those that the state
	// knows and the configuration has disabled: sorted. An excluded one is not even
	// asked; that a disabled one cannot be cleaned now is no error.
	Excluded, Disabled []string
	// Sources of the desired models by name, for reading them again.
	Sources map[string]Source
	// Configuration holds the sha256 digests of the configuration files by name,
	// to tell when they have been edited since.
	Configuration map[string]string

	configured map[string]bool // enabled nodes of the configuration
}

// Source is where a model was read from.
type Source struct {
	Path       string           `json:"path"` // of the .onnx file
	Dimensions map[string]int64 `json:"dimensions,omitempty"`
}

// Deployment is one pipeline going from one release to another.
type Deployment struct {
	Model    string
	From, To *statefile.Model // nil: not deployed; to be removed
	Switch   Switch
	// Manifests of To by node address; nil when To is nil.
	Manifests map[string]worker.Manifest
	// Replace are the nodes whose files are pushed again, whatever is there, and
	// whose workers are started again.
	Replace []string
}

// Drift is something found on a device that differs from the state.
type Drift struct {
	Model   string `json:"model"`
	Node    string `json:"node"`
	Problem string `json:"problem"` // "the worker is not running", "release 1f… is missing"
	// NewKey says that the worker has or gets another key, which all devices of
	// the pipeline then have to learn.
	NewKey bool `json:"new_key,omitempty"`
	// PublicKey is the key that the worker has now, where it is another one that can
	// be recorded; standard base64.
	PublicKey string `json:"public_key,omitempty"`
	// Restart says that the worker is started again to repair it.
	Restart bool `json:"restart,omitempty"`
}

// BlobSource opens blobs by digest.
type BlobSource interface {
	// Open gives the content of a blob; the caller closes it.
	Open(digest string) (io.ReadCloser, error)
}

// Upload is one blob that one node lacks.
type Upload struct {
	Node string         `json:"node"`
	Blob statefile.Blob `json:"blob"`
	// From is the node that it comes from, which has it or gets it before; "" is the
	// operator's machine.
	From string `json:"from,omitempty"`
	// Over is the shared network that it comes over from there, on which there is one such copy
	// at a time; "" is none.
	Over string `json:"over,omitempty"`
}

// LeastRate is how slowly a device may get something from another, in bytes per second: one that
// lets others wait for each byte does not hold them up for ever.
const LeastRate = 64 << 10

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
	Name      string           `json:"name"`
	Gateway   string           `json:"gateway"`
	Status    solver.Status    `json:"status"`
	Algorithm solver.Algorithm `json:"algorithm"`
	Reason    string           `json:"reason,omitempty"` // why the solver stopped before a proof
	Gap       float64          `json:"gap"`
	Stages    []Stage          `json:"stages"`
	Transfers []Transfer       `json:"transfers"`
	// Bottleneck by name: "node node.pi[\"hall\"]", "link a -> b", "network wifi".
	// Where there are several models it is what all of them keep busiest together,
	// and its seconds are those between two inferences of this one.
	Bottleneck          string  `json:"bottleneck"`
	BottleneckSeconds   float64 `json:"bottleneck_seconds"`
	LowerBoundSeconds   float64 `json:"lower_bound_seconds"`
	ThroughputPerSecond float64 `json:"throughput_per_second"`
	// The throughput with all that was measured at the slow and at the fast end of its
	// 95 % interval; what is declared or assumed has none.
	ThroughputLowPerSecond  float64 `json:"throughput_low_per_second"`
	ThroughputHighPerSecond float64 `json:"throughput_high_per_second"`
	LatencySeconds          float64 `json:"latency_seconds"`
	Switch                  Switch  `json:"switch"` // how it replaces what is deployed
	// Before is the prediction of the deployed release; nil when there is none.
	Before *statefile.Prediction `json:"before,omitempty"`
	// Offer is a better placement that is not taken because it saves less than
	// the threshold; nil when there is none.
	Offer *Offer `json:"offer,omitempty"`
	// Explain is what limits the placement; nil unless the input asks for it.
	Explain *Explanation `json:"explain,omitempty"`
}

// Offer is a better placement within the replan threshold.
type Offer struct {
	ThroughputPerSecond float64 `json:"throughput_per_second"`
	Gain                float64 `json:"gain"` // share of the bottleneck that it would save
}

// Stage is one printed stage.
type Stage struct {
	Index       int     `json:"index"`
	Node        string  `json:"node"`       // the device
	FirstNode   string  `json:"first_node"` // of the graph
	LastNode    string  `json:"last_node"`
	Segments    int     `json:"segments"`
	WeightBytes int64   `json:"weight_bytes"`
	MemoryBytes int64   `json:"memory_bytes"` // needed
	MemoryLimit int64   `json:"memory_limit"` // allowed
	Seconds     float64 `json:"seconds"`
	FLOPs       int64   `json:"flops"`
	// Where the seconds of computing and the memory come from: measured, interpolated,
	// declared or assumed. Spread is half of the 95 % interval of the computing as a
	// share; 0 is not known.
	ComputeOrigin config.Origin `json:"compute_origin"`
	MemoryOrigin  config.Origin `json:"memory_origin"`
	Spread        float64       `json:"spread,omitempty"`
	// Deviation is the standard deviation of single runs as a share of their mean, as
	// measured; 0 is not known.
	Deviation float64 `json:"deviation,omitempty"`
}

// Transfer is one printed transfer.
type Transfer struct {
	From    string        `json:"from"`
	To      string        `json:"to"`
	Via     string        `json:"via"` // link.hall_gate or network.wifi
	Tensors []tensor.Info `json:"tensors"`
	Bytes   int64         `json:"bytes"`
	Seconds float64       `json:"seconds"`
	// LatencySeconds of the connection, one way.
	LatencySeconds float64 `json:"latency_seconds"`
	// Where bandwidth and latency come from: measured, declared or assumed. Spread is half of
	// the 95 % interval of the bandwidth as a share.
	BandwidthOrigin config.Origin `json:"bandwidth_origin"`
	LatencyOrigin   config.Origin `json:"latency_origin"`
	Spread          float64       `json:"spread,omitempty"`
	// Shared says that all transfers over Via, of any pair, add up: it is one radio.
	Shared bool `json:"shared,omitempty"`
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

// GivenBytes is the part of UploadBytes that goes from one device to another.
func (p *Plan) GivenBytes() int64 {
	var n int64
	for _, u := range p.Uploads {
		if u.From != "" {
			n += u.Blob.Size
		}
	}
	return n
}
