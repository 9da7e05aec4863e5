package ort

import (
	"errors"
	"fmt"
	"math"
)

// Level is how far ONNX Runtime optimises a graph before it runs it.
type Level string

// The optimisation levels, as GraphOptimizationLevel has them.
const (
	Disabled Level = "disabled" // none: slices give the whole model's bytes
	Basic    Level = "basic"    // constant folding, redundant nodes
	Extended Level = "extended" // fusions as well
	All      Level = "all"      // changes of memory layout as well
)

// ParseLevel finds a level by its name.
func ParseLevel(name string) (Level, error) {
	if _, err := Level(name).number(); err != nil {
		return "", err
	}
	return Level(name), nil
}

func (l Level) number() (int32, error) {
	switch l {
	case Disabled:
		return 0, nil
	case Basic:
		return 1, nil
	case Extended:
		return 2, nil
	case All:
		return 99, nil
	}
	return 0, fmt.Errorf("unknown optimisation level %q: it is disabled, basic, extended or all", string(l))
}

// SessionOptions say how a model is prepared and run. Outputs of one model are
// comparable bit by bit only between sessions with the same options.
type SessionOptions struct {
	Level Level // required
	// Threads that share the work of one operator; 0 leaves it to the engine.
	// Operators run one after the other.
	Threads int
	// Prepack copies weights into the layout that is fastest to compute with.
	// Without it, weights in external files stay mapped and reclaimable.
	Prepack bool
}

// options makes an OrtSessionOptions, which the caller releases.
func (e *Engine) options(o SessionOptions) (handle, error) {
	level, err := o.Level.number()
	if err != nil {
		return 0, err
	}
	if o.Threads < 0 || o.Threads > math.MaxInt16 {
		return 0, fmt.Errorf("%d threads: it has to be from 0 (the engine's choice) to %d", o.Threads, math.MaxInt16)
	}
	var options handle
	if err := e.check(e.api.CreateSessionOptions(&options)); err != nil {
		return 0, err
	}
	if err := e.set(options, level, int32(o.Threads), o.Prepack); err != nil {
		e.api.ReleaseSessionOptions(options)
		return 0, err
	}
	return options, nil
}

func (e *Engine) set(options handle, level, threads int32, prepack bool) error {
	const sequential = 0 // ORT_SEQUENTIAL
	errs := []error{
		e.check(e.api.SetSessionGraphOptimizationLevel(options, level)),
		e.check(e.api.SetSessionExecutionMode(options, sequential)),
		e.check(e.api.SetIntraOpNumThreads(options, threads)),
		e.check(e.api.SetInterOpNumThreads(options, 1)),
	}
	if !prepack {
		errs = append(errs, e.check(e.api.AddSessionConfigEntry(options, "session.disable_prepacking", "1")))
	}
	return errors.Join(errs...)
}
