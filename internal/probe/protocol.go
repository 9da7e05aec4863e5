package probe

import "github.com/edgeplan/edgeplan/internal/tensor"

// Request asks the probe on a device for one thing. Requests are lines of JSON on its
// standard input, and may be under way at once; each is answered by one Response.
type Request struct {
	ID     int            `json:"id"`
	Clock  bool           `json:"clock,omitempty"` // asks for the time, and nothing that takes any
	Facts  *FactsRequest  `json:"facts,omitempty"`
	Listen *ListenRequest `json:"listen,omitempty"`
	Send   *SendRequest   `json:"send,omitempty"`
	Base   *BaseRequest   `json:"base,omitempty"`
	Range  *RangeRequest  `json:"range,omitempty"`
}

// Response is a line of JSON on standard output: what was asked for, or an error.
type Response struct {
	ID    int    `json:"id"`
	Error string `json:"error,omitempty"`
	// Unreached says of an error of Send that no connection to the other's probe came about.
	Unreached bool `json:"unreached,omitempty"`

	Clock  int64        `json:"clock,omitempty"` // Unix time in nanoseconds, by the device's clock
	Facts  *Facts       `json:"facts,omitempty"`
	Listen *Listening   `json:"listen,omitempty"`
	Link   *LinkResult  `json:"link,omitempty"`
	Base   *Base        `json:"base,omitempty"`
	Range  *RangeResult `json:"range,omitempty"`
}

// MaxLine bounds a request and a response, in bytes.
const MaxLine = 1 << 20

// FactsRequest asks what the device is and has.
type FactsRequest struct {
	// Wire asks for CPUSecondsPerByte too, which takes a core for half a second.
	Wire bool `json:"wire,omitempty"`
}

// Facts are what a device says of itself. It may be wrong: see Facts.Credible.
type Facts struct {
	Cores                int   `json:"cores"` // processors that a process may use at once
	MemoryTotalBytes     int64 `json:"memory_total_bytes"`
	MemoryAvailableBytes int64 `json:"memory_available_bytes"`
	// MemoryLimitBytes is that of the innermost control group that has one, and
	// MemoryLeftBytes what it leaves; 0 and no meaning without one.
	MemoryLimitBytes int64 `json:"memory_limit_bytes,omitempty"`
	MemoryLeftBytes  int64 `json:"memory_left_bytes,omitempty"`
	DiskFreeBytes    int64 `json:"disk_free_bytes"`
	// Busy is the share of its processors that was used while nothing of ours ran.
	Busy              float64 `json:"busy"`
	CPUSecondsPerByte float64 `json:"cpu_seconds_per_byte,omitempty"`
	// Workers are the models that workers of edgeplan serve there, and PipelineBytes
	// what these hold in memory.
	Workers       []string `json:"workers,omitempty"`
	PipelineBytes int64    `json:"pipeline_bytes,omitempty"`
	// Doubts are what was found to be incredible by Credible, on the operator's side.
	Doubts []string `json:"-"`
}

// ListenRequest asks to open a port for one test.
type ListenRequest struct {
	Host   string `json:"host"` // the device's pipeline address
	Port   int    `json:"port"` // the first to try
	Secret []byte `json:"secret"`
	Limits Limits `json:"limits"`
}

// Listening is where the peer connects.
type Listening struct {
	Port int `json:"port"`
}

// SendRequest asks to test the direction to a listener.
type SendRequest struct {
	Address string `json:"address"` // host:port
	Secret  []byte `json:"secret"`
	Limits  Limits `json:"limits"`
}

// File is a blob on the device under the name that it has in a release.
type File struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // sha256, 64 hex digits
}

// BaseRequest asks what a worker costs beside its slice.
type BaseRequest struct {
	Engine File `json:"engine"`
	// Tiny and Large are models of one operator and no weights, with tensors of a few and of
	// many bytes.
	Tiny  Passing `json:"tiny"`
	Large Passing `json:"large"`
}

// Passing is a model whose result is as large as its input.
type Passing struct {
	Graph  []byte      `json:"graph"`
	Input  tensor.Info `json:"input"`
	Output tensor.Info `json:"output"`
}

// Stage is the model as the only stage of a pipeline.
func (p Passing) Stage() Stage {
	return Stage{Optimization: "disabled", Threads: 1, Inputs: []tensor.Info{p.Input}, Outputs: []tensor.Info{p.Output}}
}

// Stage is a slice that a worker runs.
type Stage struct {
	Optimization    string
	Threads         int
	Inputs, Outputs []tensor.Info
	MemoryBytes     int64 // that its worker and the gateway before it may hold; 0 is no limit
}

// Base is what a worker costs beside its slice.
type Base struct {
	WorkerBytes int64   `json:"worker_bytes"` // resident at its highest, with the engine and a tiny model under load
	RunnerBytes int64   `json:"runner_bytes"` // likewise of the process that times ranges
	LoadSeconds float64 `json:"load_seconds"` // from the start of a worker until it is ready
	// RequestSeconds are what the worker of a stage takes for a request beside the engine and
	// beside ByteSeconds, which it takes for every byte in and out: the time of a processor,
	// or more where a control group grants less than one.
	RequestSeconds float64 `json:"request_seconds"`
	ByteSeconds    float64 `json:"byte_seconds"`
}

// RangeRequest asks to run a range of a model.
type RangeRequest struct {
	Files        []File        `json:"files"` // engine, graph and weights
	Optimization string        `json:"optimization"`
	Threads      int           `json:"threads"`
	Inputs       []tensor.Info `json:"inputs"`
	Outputs      []tensor.Info `json:"outputs"`
	// MemoryBytes that it may hold; one that takes more is ended.
	MemoryBytes int64   `json:"memory_bytes"`
	Goal        float64 `json:"goal"`        // spread at which it stops
	Cap         float64 `json:"cap_seconds"` // that it runs at most
	// Serve asks for ServingCPUSeconds too.
	Serve bool `json:"serve,omitempty"`
}

// RangeResult is the time and memory of a range.
type RangeResult struct {
	Seconds float64 `json:"seconds"` // of one run, the mean
	Spread  float64 `json:"spread"`
	// Deviation is the standard deviation of single runs as a share of Seconds; 0 is not known.
	Deviation   float64 `json:"deviation,omitempty"`
	Runs        int     `json:"runs"`
	LoadSeconds float64 `json:"load_seconds"`
	PeakBytes   int64   `json:"peak_bytes"` // resident at its highest
	// ServingCPUSeconds are what a request takes a real worker that runs the range as a stage: the
	// time of a processor, or more where a control group grants less than one.
	ServingCPUSeconds float64 `json:"serving_cpu_seconds,omitempty"`
	ServingPeakBytes  int64   `json:"serving_peak_bytes,omitempty"` // resident at that worker's highest
	// ServingProblem is why they are not known although they were asked for.
	ServingProblem string `json:"serving_problem,omitempty"`
}
