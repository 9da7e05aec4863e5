package worker

import (
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

// ManifestVersion is the format of manifest.json that this version reads and writes.
const ManifestVersion = 1

// Names of the files in a release folder.
const (
	ManifestFile = "manifest.json"       // the Manifest
	PeersFile    = "peers.json"          // Peers; beside the release, not part of its id
	GraphFile    = "slice.onnx"          // the graph of the slice; its weights are beside it, named by digest
	EngineFile   = "libonnxruntime.so.1" // the engine library
	ProgramFile  = "edgeplan-worker"     // the worker itself
	SocketFile   = "control.sock"        // the worker's Unix socket: the Open Inference Protocol for the operator
	LogFile      = "worker.log"          // standard output and error of a started worker
	MarkFile     = "supervision.json"    // how the worker was started, and in which run of the system
	LockFile     = "worker.lock"         // held (flock) while the worker runs; contains its process id
	// CurrentLink, beside the folder of releases, is a link to the release that serves.
	CurrentLink = "current"
	// PromisedLink, beside it, is a link to the release that is about to. While it is
	// there only the gateway knows which of the two serves, so that after a reboot both
	// start and wait for a call.
	PromisedLink = "next"
	// SupervisorFile is held while a supervisor of edgeplan's own runs.
	SupervisorFile = "supervisor.lock"

	releasesFolder = "releases" // of a deployment
)

// Manifest is everything a worker is told: which release it belongs to, what
// it runs and who its neighbours are. Every device of a release has one
// manifest; the same release id stands in all of them.
type Manifest struct {
	FormatVersion int    `json:"format_version"`
	Model         string `json:"model"`
	// Release is the id of the whole pipeline's release, a prefix of the digest
	// of all its manifests. A worker refuses tensors of another release.
	Release string `json:"release"`
	// Node is the address of the device this manifest is for, as `node.pi["hall"]`.
	Node string `json:"node"`
	// Listen is where neighbours connect, as host:port. A host that is an
	// address of the device is bound; any other name listens on all addresses.
	Listen string `json:"listen"`
	// Queue is how many requests wait before and after the engine.
	Queue int `json:"queue"`
	// MemoryBytes is what the plan counts on for this worker; 0 is not known.
	// MemoryLimit follows from it.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Transfer is how tensors travel between devices; empty is as they are.
	Transfer transfer.Form `json:"transfer,omitempty"`

	Stage   *Stage   `json:"stage,omitempty"`   // nil on a gateway without a stage
	Gateway *Gateway `json:"gateway,omitempty"` // nil but on the gateway
}

// Stage is one slice of the model and its place in the pipeline.
type Stage struct {
	Index int `json:"index"` // 0 is the first
	Count int `json:"count"` // stages in the pipeline
	// Optimization is ONNX Runtime's graph optimisation level: disabled, basic,
	// extended or all.
	Optimization string `json:"optimization"`
	// Threads the engine uses inside one operator; 0 lets the engine choose.
	Threads int `json:"threads"`
	// Inputs and Outputs are the tensors of the cut before and after the stage.
	// An output that is also an input passes through.
	Inputs  []tensor.Info `json:"inputs"`
	Outputs []tensor.Info `json:"outputs"`
	// Previous sends to this stage and Next receives from it; the gateway is
	// previous to the first stage and next to the last.
	Previous Peer `json:"previous"`
	Next     Peer `json:"next"`
}

// Gateway is where requests enter the pipeline and results leave it.
type Gateway struct {
	Inputs  []tensor.Info `json:"inputs"`
	Outputs []tensor.Info `json:"outputs"`
	First   Peer          `json:"first"` // the first stage
	Last    Peer          `json:"last"`  // the last stage
	// Stages in the pipeline; 0 where the release is from before they were told.
	Stages int `json:"stages,omitempty"`
	// Requests it holds at once, from when it reads one to its answer: what the plan has
	// memory for. 0 is as many as come.
	Requests int `json:"requests,omitempty"`
	// TimeoutSeconds bounds one request from entry to answer.
	TimeoutSeconds float64 `json:"timeout_seconds"`
	// Access is where clients reach the pipeline without SSH; nil for nowhere.
	Access *Access `json:"access,omitempty"`
}

// Peer is a neighbour in the pipeline. A peer on the same node is the same
// process, and is handed its tensors in memory.
type Peer struct {
	Node    string `json:"node"`
	Address string `json:"address"` // host:port
}

// Peers maps the address of a neighbouring node to the public key of its
// worker (standard base64 of the 32 bytes of an Ed25519 key).
type Peers map[string]string
