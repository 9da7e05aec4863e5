// Package worker runs one stage of a pipeline on a device: it receives the
// tensors of a cut, runs its slice with ONNX Runtime and forwards the next cut,
// all three at the same time. The gateway's worker also takes requests in and
// gives answers out. It owns the manifest, the file that tells a worker all this.
package worker
