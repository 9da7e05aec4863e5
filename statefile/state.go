// Package statefile holds what is deployed: the types, the file that stores
// them, and the lock that keeps two runs apart.
//
// Desired and recorded state are the same type, so a diff is symmetric.
package statefile

import (
	"encoding/json"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// FormatVersion is the version of the state file that this version writes.
const FormatVersion = 1

// State is everything edgeplan has put on devices, or wants there.
type State struct {
	FormatVersion int `json:"format_version"`
	// EdgeplanVersion last wrote the file.
	EdgeplanVersion string `json:"edgeplan_version"`
	// Serial grows by one with every write; Lineage is a random id given when
	// the state is created and kept for its life.
	Serial  uint64 `json:"serial"`
	Lineage string `json:"lineage"`

	// Nodes by address, as `node.pi["hall"]`: every device that carries
	// anything, with what is needed to reach it after it left the configuration.
	Nodes map[string]Node `json:"nodes"`
	// Models by name, as `resnet50`: the deployed pipelines.
	Models map[string]Model `json:"models"`
	// Earlier releases by model, the latest first, that are still on their devices
	// for rollback.
	Earlier map[string][]Model `json:"earlier,omitempty"`
	// Outputs of the configuration by name, as JSON values.
	Outputs map[string]json.RawMessage `json:"outputs"`
}

// Node is a device as the deployer reaches it.
type Node struct {
	SSH SSH `json:"ssh"`
	// Path of edgeplan's folder on the device, absolute or relative to the home folder.
	Path         string `json:"path"`
	Architecture string `json:"architecture"` // linux/amd64, linux/arm64, linux/arm
	// PipelineAddress is the host where the other devices reach this one.
	PipelineAddress string `json:"pipeline_address"`
	// PipelinePort is the first port that workers on this node may take.
	PipelinePort int `json:"pipeline_port"`
	// PublicKey of the node's worker, standard base64 of an Ed25519 key; "" until known.
	PublicKey string `json:"public_key"`
}

// SSH is how to connect: what the configuration said. What it left open is empty,
// and ssh's own files say it at the time. It holds no secret: keys are named by file.
type SSH struct {
	Host         string `json:"host"`
	Port         int    `json:"port,omitempty"`
	User         string `json:"user,omitempty"`
	IdentityFile string `json:"identity_file,omitempty"` // "": the agent, then the default keys
	KnownHosts   string `json:"known_hosts,omitempty"`   // "": ~/.ssh/known_hosts
	// HostKey pins the device's key, as in an authorized_keys line: "ssh-ed25519 AAAA…".
	HostKey         string `json:"host_key,omitempty"`
	HostKeyChecking string `json:"host_key_checking,omitempty"` // strict, accept-new
	ProxyJump       string `json:"proxy_jump,omitempty"`        // user@host:port in order, apart by commas; "none"
	Become          string `json:"become,omitempty"`            // sudo
	Config          string `json:"config,omitempty"`            // ssh_config to read; "none"; "": the usual ones
}

// Model is one pipeline: which release of which model runs where.
type Model struct {
	// Release is the id of the pipeline's release: a prefix of the digest of
	// all manifests.
	Release string `json:"release"`
	// SourceDigest is the sha256 digest of the model file.
	SourceDigest string `json:"source_digest"`
	Optimization string `json:"optimization"` // disabled, basic, extended, all
	Threads      int    `json:"threads"`
	Queue        int    `json:"queue"`
	Transfer     string `json:"transfer,omitempty"` // zstd, fp16, int8; "" is none
	Gateway      string `json:"gateway"`            // address of the gateway node
	// GatewayPort is where the gateway listens for the last stage; equal to the
	// port of the stage on the same node where there is one.
	GatewayPort    int           `json:"gateway_port"`
	TimeoutSeconds float64       `json:"timeout_seconds"`
	Access         *Access       `json:"access,omitempty"` // for clients; nil for none
	Inputs         []tensor.Info `json:"inputs"`
	Outputs        []tensor.Info `json:"outputs"`
	Slices         []Slice       `json:"slices"` // in pipeline order
	// Programs by node address: the worker, and the engine where a stage runs.
	Programs   map[string][]Blob `json:"programs"`
	Prediction Prediction        `json:"prediction"`
}

// Access is where clients reach the gateway without SSH. It holds no secret.
type Access struct {
	HTTP        string `json:"http,omitempty"`         // host:port, Open Inference Protocol over HTTP
	GRPC        string `json:"grpc,omitempty"`         // host:port, Open Inference Protocol over gRPC
	TokenSHA256 string `json:"token_sha256,omitempty"` // of the token that clients send
	Authorities string `json:"authorities,omitempty"`  // PEM, of clients' certificates
}

// Slice is one stage of a model on one node.
type Slice struct {
	Node         string `json:"node"`
	FirstSegment int    `json:"first_segment"`
	LastSegment  int    `json:"last_segment"`
	FirstNode    string `json:"first_node"` // of the graph
	LastNode     string `json:"last_node"`
	Port         int    `json:"port"` // where the stage listens
	// Inputs and Outputs are the tensors of the cuts before and after.
	Inputs  []tensor.Info `json:"inputs"`
	Outputs []tensor.Info `json:"outputs"`
	Graph   Blob          `json:"graph"`
	Weights []Blob        `json:"weights"`
	// MemoryBytes the stage is expected to need.
	MemoryBytes int64 `json:"memory_bytes"`
}

// Blob is a file known by its content.
type Blob struct {
	Name   string `json:"name"`   // of the file in the release folder
	Digest string `json:"digest"` // sha256, 64 hex digits
	Size   int64  `json:"size"`   // bytes
}

// Prediction is what the plan expected of a pipeline.
type Prediction struct {
	ThroughputPerSecond float64 `json:"throughput_per_second"` // inferences per second
	BottleneckSeconds   float64 `json:"bottleneck_seconds"`
	Bottleneck          string  `json:"bottleneck"`
	LatencySeconds      float64 `json:"latency_seconds"`
	// Status is optimal or feasible, as proven by the solver.
	Status            string  `json:"status"`
	LowerBoundSeconds float64 `json:"lower_bound_seconds"`
}
