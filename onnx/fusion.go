package onnx

import "slices"

// span is a run of segments, first to last.
type span struct{ first, last int }

// fusions are the groups of segments that ONNX Runtime fuses at its extended
// level (its documentation, "Graph Optimizations", lists them), as the runs of
// the order that hold them. They err on the side of more: a cut that is not
// offered costs little.
func (m *model) fusions() []span {
	f := &fuser{model: m, place: map[int]int{}}
	for s, at := range m.order {
		f.place[at] = s
	}
	for _, at := range m.order {
		f.pair(at)
		f.normalisation(at)
		f.gelu(at)
		f.attention(at)
	}
	return f.spans
}

// fuser collects groups.
type fuser struct {
	*model
	place map[int]int // segment by node
	spans []span
}

// group adds the run that holds some nodes.
func (f *fuser) group(nodes ...int) {
	s := span{first: len(f.order), last: -1}
	for _, at := range nodes {
		if p, ok := f.place[at]; ok {
			s.first, s.last = min(s.first, p), max(s.last, p)
		}
	}
	if s.last > s.first {
		f.spans = append(f.spans, s)
	}
}

// pair groups a node with the readers of its outputs that fuse with it.
func (f *fuser) pair(at int) {
	for _, reader := range f.partners(at) {
		f.group(at, reader)
	}
}

// partners are the readers of a node's outputs that fuse with it.
func (f *fuser) partners(at int) []int {
	var list []int
	for _, o := range f.graph.nodes[at].outputs {
		if o < 0 {
			continue
		}
		v := f.graph.values[o]
		for _, reader := range v.readers {
			if f.fuses(at, reader, len(v.readers) == 1 && !v.output) {
				list = append(list, reader)
			}
		}
	}
	return list
}

// fuses is the table of pairs; only says that nothing else reads the first one's output.
func (f *fuser) fuses(first, second int, only bool) bool {
	a, b := f.op(first), f.op(second)
	switch {
	case a == "DequantizeLinear", b == "QuantizeLinear", a == "DynamicQuantizeLinear":
		return true
	case a == "Add" && normalises(b), a == "LayerNormalization" && b == "Cast":
		return true // SkipLayerNormalization keeps the sum for its other readers
	case !only:
		return false
	}
	switch a {
	case "Conv", "ConvTranspose":
		return activation(b) || b == "BatchNormalization" || (b == "Add" || b == "Mul") && f.withConstant(second)
	case "BatchNormalization", "Gemm":
		return activation(b) || b == "BatchNormalization"
	case "MatMul":
		return b == "BatchNormalization" || b == "Transpose" || (b == "Add" || b == "Mul" || b == "Div") && f.withConstant(second)
	case "MatMulInteger", "ConvInteger":
		return b == "Cast" || b == "Add" || b == "Mul"
	case "Cast":
		return b == "Mul" && f.madeBy(first, "MatMulInteger", "ConvInteger")
	case "Mul", "Add":
		switch {
		case f.madeBy(first, "Cast", "MatMulInteger"):
			return b == "Add" && f.withConstant(second)
		case f.madeBy(first, "Conv", "MatMul", "BatchNormalization") && f.withConstant(first):
			return activation(b) || b == "Gelu" || b == "BatchNormalization" || b == "Add" && f.withConstant(second)
		case a == "Add":
			return b == "Gelu" || b == "FastGelu"
		}
		return false
	case "Transpose":
		return b == "MatMul"
	case "Pad":
		return b == "Conv" || b == "MaxPool" || b == "AveragePool"
	case "Relu":
		return b == "Clip"
	case "Sigmoid":
		return b == "Mul"
	}
	return false
}

func activation(op string) bool {
	return slices.Contains([]string{"Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Elu", "Selu", "ThresholdedRelu", "Softplus", "Softsign", "HardSwish"}, op)
}

func normalises(op string) bool {
	return op == "LayerNormalization" || op == "SimplifiedLayerNormalization" || op == "RMSNormalization"
}

func (f *fuser) op(at int) string { return f.graph.nodes[at].GetOpType() }

// withConstant says whether one of a node's inputs is a weight.
func (f *fuser) withConstant(at int) bool {
	return slices.ContainsFunc(f.graph.nodes[at].reads, func(i int) bool { return f.graph.values[i].constant() })
}

// madeBy says whether an input of a node comes from one of these operators.
func (f *fuser) madeBy(at int, ops ...string) bool {
	return slices.ContainsFunc(f.makers(at), func(maker int) bool { return slices.Contains(ops, f.op(maker)) })
}

// makers are the segments that a node reads from.
func (f *fuser) makers(at int) []int {
	var list []int
	for _, i := range f.graph.nodes[at].reads {
		if v := f.graph.values[i]; v.origin == fromNode {
			list = append(list, v.producer)
		}
	}
	return list
}

// readers are the segments that read from a node.
func (f *fuser) readers(at int) []int {
	var list []int
	for _, o := range f.graph.nodes[at].outputs {
		if o >= 0 {
			list = append(list, f.graph.values[o].readers...)
		}
	}
	return list
}

// follow goes from a node through readers whose operators are given in turn, each
// step being one of several or, marked by "?", optional; nil when the way ends.
func (f *fuser) follow(at int, steps ...[]string) []int {
	way := []int{at}
	for _, ops := range steps {
		next := -1
		for _, reader := range f.readers(at) {
			if slices.Contains(ops, f.op(reader)) {
				next = reader
				break
			}
		}
		if next < 0 && slices.Contains(ops, "?") {
			continue
		}
		if next < 0 {
			return nil
		}
		at = next
		way = append(way, at)
	}
	return way
}

// normalisation finds layer normalisation written out: the mean, the difference,
// its square's mean, the root, the division, scale and shift; or without the mean.
func (f *fuser) normalisation(at int) {
	switch f.op(at) {
	case "ReduceMean":
		f.group(f.follow(at, []string{"Sub"}, []string{"Cast", "?"}, []string{"Pow", "Mul"}, []string{"ReduceMean"}, []string{"Add"},
			[]string{"Sqrt"}, []string{"Div", "Reciprocal"}, []string{"Mul", "?"}, []string{"Add", "?"})...)
	case "Pow":
		f.group(f.follow(at, []string{"ReduceMean"}, []string{"Add"}, []string{"Sqrt"}, []string{"Div", "Reciprocal"},
			[]string{"Mul", "?"}, []string{"Mul", "?"})...)
	}
}

// gelu finds x/2 (1 + erf(x/sqrt 2)) and its approximation with tanh.
func (f *fuser) gelu(at int) {
	switch f.op(at) {
	case "Erf":
		way := f.follow(at, []string{"Add"}, []string{"Mul"}, []string{"Mul", "?"})
		f.group(append(way, f.upwards(at, 1, "Div", "Mul")...)...)
	case "Tanh":
		if f.madeBy(at, "Mul") {
			way := f.follow(at, []string{"Add"}, []string{"Mul"}, []string{"Mul", "?"})
			if way != nil {
				f.group(append(way, f.upwards(at, 5, "Mul", "Add", "Pow")...)...)
			}
		}
	}
}

// attention finds softmax between two matrix products, with the projections of
// query, key and value before it and the transposition after it.
func (f *fuser) attention(at int) {
	if f.op(at) != "Softmax" {
		return
	}
	down := f.follow(at, []string{"Dropout", "Where", "Cast", "?"}, []string{"MatMul"}, []string{"Transpose", "?"}, []string{"Reshape", "?"})
	if down == nil {
		return
	}
	score := f.upwards(at, 5, "Add", "Div", "Mul", "Where", "Cast")
	nodes := append(down, score...)
	for _, from := range append([]int{at, down[1]}, score...) {
		for _, maker := range f.makers(from) {
			if f.op(maker) == "MatMul" || from == down[1] {
				nodes = append(nodes, maker)
				nodes = append(nodes, f.upwards(maker, 7, "Transpose", "Reshape", "Split", "Squeeze", "Slice", "Gather", "Add", "Mul", "Div", "MatMul", "Gemm")...)
			}
		}
	}
	f.group(nodes...)
}

// upwards collects makers of a node's inputs, and their makers, as far as they are
// of the given operators; a matrix product with a weight is the last of its line.
func (f *fuser) upwards(at, depth int, ops ...string) []int {
	if depth == 0 {
		return nil
	}
	var list []int
	for _, maker := range f.makers(at) {
		if !slices.Contains(ops, f.op(maker)) {
			continue
		}
		if f.op(maker) == "Add" && slices.Contains(ops, "Gemm") && !f.withConstant(maker) {
			continue // the sum with a skip connection, not a bias
		}
		list = append(list, maker)
		if op := f.op(maker); op != "MatMul" && op != "Gemm" {
			list = append(list, f.upwards(maker, depth-1, ops...)...)
		}
	}
	return list
}
