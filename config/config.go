// Package config reads a configuration folder: every *.edgeplan.hcl file of it,
// checked as a whole, into typed values with the place where each was written.
// All faults are reported at once, as hcl.Diagnostics.
package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// Config is a checked configuration.
type Config struct {
	Dir      string // the folder it was read from
	Settings Settings
	Nodes    []*Node    // in order of address
	Links    []*Link    // in order of address
	Networks []*Network // in order of address
	Models   []*Model   // in order of name

	// Measured is what `edgeplan probe` has measured; what lacks or differs is told by
	// CheckMeasured.
	Measured *measurement.Index

	// Sources holds the files as read, for diagnostics with snippets.
	Sources map[string]*hcl.File

	outputs   *outputs
	secrets   []string
	sensitive map[string]bool // variables by name
	unread    hcl.Diagnostics // what is wrong with the file of measurements
	// incomplete says that there may be nodes that are not known here.
	incomplete bool
}

// Settings is the `edgeplan` block.
type Settings struct {
	RequiredVersion string // a constraint such as ">= 0.1"; checked by Load
	// ReplanThreshold is the share of bottleneck latency (0.05 is 5 %) that a new
	// placement must save before it replaces the deployed one.
	ReplanThreshold float64
	// KeepReleases is how many releases of a model devices keep, the deployed one
	// among them: at least 1. The others are there for rollback.
	KeepReleases int
	// Engines are paths of ONNX Runtime libraries by architecture, as
	// "linux/arm64"; absolute. They win over the cache and npm.
	Engines map[string]string
	// Uplink is what this machine's line carries to all devices together, in bytes per
	// second; 0 where the configuration does not say.
	Uplink  float64
	Backend *Backend // where the state is kept; nil where the configuration does not say
}

// Node is one device.
type Node struct {
	Address string // node.pi["hall"]
	SSH     SSH
	Path    string // edgeplan's folder on the device; default ".edgeplan" (in the home folder)
	// Memory is the bytes that edgeplan may use, and Compute the sustained FLOP per
	// second: as written, else as measured, else 0.
	Memory        int64
	MemoryOrigin  Origin
	Compute       float64
	ComputeOrigin Origin
	// ProfileOf is the node whose profiles, and whose compute where this node has none,
	// are also those of this node; "" is none.
	ProfileOf string
	// Architecture is linux/amd64, linux/arm64 or linux/arm; "" is asked over SSH.
	Architecture string
	// PipelineAddress is where the other devices reach this one; default: the SSH host.
	PipelineAddress string
	PipelinePort    int // first port of the pipeline; default 7433
	Enabled         bool
	Range           hcl.Range // the block's header

	memoryAt, computeAt, profileOfAt written
}

// SSH is how to connect to a node: the `ssh` block with what the node overrides.
type SSH struct {
	Host         string // the node's `address`
	Port         int    // 0 is what ssh_config says, else 22
	User         string // "" is what ssh_config says, else the operator's user name
	IdentityFile string // absolute, ~ expanded; "" is what ssh_config says, else the agent and the default keys
	KnownHosts   string // absolute; "" is what ssh_config says, else ~/.ssh/known_hosts
	HostKey      string // "ssh-ed25519 AAAA…"; "" is known_hosts
	// HostKeyChecking is "strict", or "accept-new" to trust a host the first time;
	// "" is what ssh_config says, else strict.
	HostKeyChecking string
	ProxyJump       string // user@host:port, in order, apart by commas; "none": no host; "" is what ssh_config says
	Become          string // "sudo"; "" or "none": the user is who everything runs as
	Config          string // ssh_config to read, absolute; "none"; "" is ~/.ssh/config and /etc/ssh/ssh_config
}

// Link is one pair of nodes, both ways. It wins over a network.
type Link struct {
	Address string // link.hall_gate
	Between [2]string
	// Bandwidth is bytes per second, each way; 0 is what was measured of each.
	Bandwidth float64
	Latency   time.Duration // one way
	// LatencyGiven is false where half of a measured round trip stands for the latency.
	LatencyGiven bool
	Range        hcl.Range

	bandwidthAt written
	unmeasured  bool // there is no bandwidth written, so that it must be measured
}

// Network connects every pair of its nodes, or the pairs of Links.
type Network struct {
	Address string // network.wifi
	Nodes   []string
	// Bandwidth is bytes per second of every pair; 0 when Links are given, and without
	// them what was measured of each pair.
	Bandwidth    float64
	Latency      time.Duration
	LatencyGiven bool          // as in Link
	Shared       bool          // one medium: transfers add up
	Links        []NetworkLink // pairs with figures of their own, one way each; nil: every pair
	Range        hcl.Range

	bandwidthAt written // of bandwidth, or of links
	unmeasured  bool    // as in Link
}

// NetworkLink is one direction of a network, in the units of Network.
type NetworkLink struct {
	From, To     string
	Bandwidth    float64
	Latency      time.Duration
	LatencyGiven bool // as in Link
}

// Model is a neural network to run as a pipeline.
type Model struct {
	Address    string // model.resnet50
	Name       string // resnet50
	Source     string // absolute path of the .onnx file
	Dimensions map[string]int64
	Gateway    string // node address; default: the first enabled node
	// Gateways are the nodes that may be the default one, in their order; nil where
	// the configuration names the gateway.
	Gateways []string
	// Optimization is disabled, basic, extended (the default) or all.
	Optimization string
	// Threads inside one operator; 0 lets the engine choose, but for optimization
	// disabled, where it is one so that devices agree to the last bit.
	Threads int
	// Transfer is how tensors travel between devices: zstd, fp16, int8, or "" for none.
	Transfer string
	Solver   Solver
	Client   *Client // nil without a client block
	// RequireThroughput in inferences per second; 0 requires nothing.
	RequireThroughput float64
	// RequireLatency is the longest that one inference may take through the empty
	// pipeline; 0 requires nothing.
	RequireLatency time.Duration
	// RequireMessage is what to say when a requirement is not met, in the user's
	// own words; "" says nothing more.
	RequireMessage string

	Range               hcl.Range // the block's header
	SourceRange         hcl.Range // the value of source
	RequireRange        hcl.Range // the value of require.throughput
	RequireLatencyRange hcl.Range // the value of require.latency
}

// Solver is a model's `solver` block.
type Solver struct {
	Algorithm string        // auto (the default), exact, greedy
	TimeLimit time.Duration // default 10 s
}

// ModelResult is what an output may ask of a model: model.resnet50.throughput.
type ModelResult struct {
	Throughput float64 // inferences per second
	Latency    float64 // seconds
	Release    string
}
