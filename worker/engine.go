package worker

import (
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// engine runs one slice.
type engine interface {
	// Inputs are the tensors that Run takes, in order.
	Inputs() []tensor.Info
	// Allocate says where the bytes of outputs come from, whose content may be anything.
	Allocate(take func(n int) []byte)
	// Run computes the named outputs, each in memory of its own. It keeps neither inputs nor
	// outputs: those who send them on read them later, and others come to lie there.
	Run(inputs []tensor.Tensor, outputs []string) ([]tensor.Tensor, error)
	Close() error
}

// openEngine loads the slice of a release folder.
type openEngine func(dir string, stage Stage) (engine, error)

// slicer runs a stage's slice on the tensors of the cut before it and gives
// those of the cut after it.
type slicer struct {
	engine  engine
	stage   Stage
	feeds   []int    // of each engine input, its index in Stage.Inputs
	results []string // the outputs that the engine computes
	outputs []source // where each of Stage.Outputs comes from
}

// source of an output: the engine, or an input that passes through.
type source struct {
	passes bool
	index  int // in slicer.results or Stage.Inputs
}

func newSlicer(e engine, stage Stage) (*slicer, error) {
	s := &slicer{engine: e, stage: stage}
	for _, in := range e.Inputs() {
		at := indexOf(stage.Inputs, in.Name)
		if at < 0 {
			return nil, fmt.Errorf("%s needs the tensor %q, which the manifest does not bring to the stage: the release is damaged", GraphFile, in.Name)
		}
		s.feeds = append(s.feeds, at)
	}
	for _, out := range stage.Outputs {
		if at := indexOf(stage.Inputs, out.Name); at >= 0 {
			s.outputs = append(s.outputs, source{passes: true, index: at})
			continue
		}
		s.outputs = append(s.outputs, source{index: len(s.results)})
		s.results = append(s.results, out.Name)
	}
	return s, nil
}

func indexOf(infos []tensor.Info, name string) int {
	return slices.IndexFunc(infos, func(i tensor.Info) bool { return i.Name == name })
}

// run takes the tensors in the order of Stage.Inputs and gives them in that of
// Stage.Outputs. Tensors that pass through never meet the engine.
func (s *slicer) run(tensors []tensor.Tensor) ([]tensor.Tensor, error) {
	var computed []tensor.Tensor
	if len(s.results) > 0 {
		feeds := make([]tensor.Tensor, len(s.feeds))
		for i, at := range s.feeds {
			feeds[i] = tensors[at]
		}
		var err error
		if computed, err = s.engine.Run(feeds, s.results); err != nil {
			return nil, err
		}
		if len(computed) != len(s.results) {
			return nil, fmt.Errorf("the engine gave %d tensors instead of %d", len(computed), len(s.results))
		}
	}
	out := make([]tensor.Tensor, len(s.outputs))
	for i, from := range s.outputs {
		if from.passes {
			out[i] = tensors[from.index]
			continue
		}
		out[i] = computed[from.index]
		out[i].Name = s.stage.Outputs[i].Name
		if err := sameType(s.stage.Outputs[i], out[i].Info); err != nil {
			return nil, fmt.Errorf("the engine's result is not what the plan says: %w", err)
		}
	}
	return out, nil
}

// spent are those of the tensors that do not pass through.
func (s *slicer) spent(tensors []tensor.Tensor) (list []tensor.Tensor) {
	for i, t := range tensors {
		if !slices.Contains(s.outputs, source{passes: true, index: i}) {
			list = append(list, t)
		}
	}
	return list
}

// warmUp runs the slice once on zeros, which makes the engine take its memory
// and page in its weights. Zeros are wrong where a tensor holds a shape, so the
// caller does not fail on an error.
func (s *slicer) warmUp() error {
	zeros := make([]tensor.Tensor, len(s.stage.Inputs))
	for i, info := range s.stage.Inputs {
		var err error
		if zeros[i], err = info.Zeros(); err != nil {
			return err
		}
	}
	_, err := s.run(zeros)
	return err
}
