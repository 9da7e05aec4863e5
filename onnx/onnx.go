// Package onnx reads a model file, brings its graph into one order, costs every
// node of it, and cuts it into slices that are models of their own.
//
// A chain has L segments, one for each node of the graph in that order, and L+1
// cuts: cut b lies before segment b and carries all distinct tensors alive there.
package onnx

import (
	"io"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Chain is a model brought into one order, with shapes and costs.
type Chain struct {
	// Path of the model file, and the sha256 digest of the file (and of the
	// external data it refers to), as 64 hex digits.
	Path   string
	Digest string

	Inputs  []tensor.Info // what a caller must give, in the graph's order; initializers are not among them
	Outputs []tensor.Info

	Segments []Segment // L
	Cuts     []Cut     // L+1

	ParameterBytes int64 // all weights
	FLOPs          int64 // one multiply or one add is one FLOP

	model *model
}

// Segment is one node of the graph.
type Segment struct {
	Node            string // the node's name, or its first output where it has none
	Op              string // operator, with its domain where that is not the default one
	FLOPs           int64
	WeightBytes     int64 // weights of this node; one that several nodes use counts for each of them
	ActivationBytes int64 // tensors alive while the node runs: its inputs, outputs and whatever is passed by
}

// Cut is a position of the order and what crosses it.
type Cut struct {
	Position int
	// Tensors alive across the position, in the order they come to be: graph
	// inputs used later, results used later, graph outputs made earlier.
	Tensors []tensor.Info
	Bytes   int64
	// SplitsFusion is set where the engine would fuse nodes on both sides
	// (convolution, batch normalisation and activation; layer normalisation;
	// attention): cutting there costs speed, and rounding differs.
	SplitsFusion bool
	// Uncuttable says why the model cannot be cut here: what crosses has no size
	// known before it runs, or is no tensor. It is empty where it can.
	Uncuttable string
}

// Slice is a range of segments as a model of its own.
type Slice struct {
	// Graph is the .onnx file. It refers to its weights as external data in
	// files named by their digest, in the same folder. Small constants are in
	// the graph itself. The same range always gives the same bytes.
	Graph   []byte
	Weights []Blob // in order of digest, each once
	// Inputs and Outputs are the tensors of the cuts before and after, in the
	// order of the cuts. A tensor in both passes through.
	Inputs, Outputs []tensor.Info
}

// Blob is a run of bytes known by its content.
type Blob struct {
	Digest string // sha256, 64 hex digits
	Size   int64  // bytes
	open   func() (io.ReadCloser, error)
}

// Open gives the blob's bytes, read from the model's files.
func (b Blob) Open() (io.ReadCloser, error) { return b.open() }

// ShapeInferrer finds element types and shapes of tensors. The engine is one.
type ShapeInferrer interface {
	// InferShapes loads a model without running it and describes its outputs;
	// dimensions it cannot know are tensor.Unknown. With fold, nodes that depend on
	// constants alone are computed, so that shapes made of their values are known.
	InferShapes(model []byte, fold bool) ([]tensor.Info, error)
}

// Options of Load.
type Options struct {
	// Dimensions binds symbolic dimensions by name, and unnamed ones are listed
	// in the error when they stay unknown.
	Dimensions map[string]int64
	// Shapes is asked when the file's own value_info does not describe every
	// tensor; nil makes an incomplete file an error.
	Shapes ShapeInferrer
	// NoDigest leaves Chain.Digest empty, which saves reading all weights.
	NoDigest bool
}
