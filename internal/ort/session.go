package ort

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Session is a model ready to run. Its methods may be called at the same time.
type Session struct {
	engine  *Engine
	inputs  []port
	outputs []port
	take    func(n int) []byte // gives the bytes of outputs

	// Runs hold it shared; Close waits for them and holds it alone.
	mutex  sync.RWMutex
	handle handle // 0 when closed
}

// NewSession loads a model file. External data is looked for beside it.
func (e *Engine) NewSession(path string, o SessionOptions) (*Session, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	s, err := e.session(o, func(options handle, out *handle) status {
		return e.api.CreateSession(e.env, path, options, out)
	})
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", path, err)
	}
	return s, nil
}

// NewSessionFromBytes loads a model without external data. The bytes are not
// needed afterwards.
func (e *Engine) NewSessionFromBytes(model []byte, o SessionOptions) (*Session, error) {
	if len(model) == 0 {
		return nil, errors.New("load model: it has no bytes")
	}
	s, err := e.session(o, func(options handle, out *handle) status {
		return e.api.CreateSessionFromArray(e.env, &model[0], uintptr(len(model)), options, out)
	})
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	return s, nil
}

func (e *Engine) session(o SessionOptions, create func(options handle, out *handle) status) (*Session, error) {
	options, err := e.options(o)
	if err != nil {
		return nil, err
	}
	defer e.api.ReleaseSessionOptions(options)
	s := &Session{engine: e, take: func(n int) []byte { return make([]byte, n) }}
	if err := e.check(create(options, &s.handle)); err != nil {
		return nil, err
	}
	if err := s.describe(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	runtime.SetFinalizer(s, func(s *Session) { s.Close() })
	return s, nil
}

// Inputs are the tensors that Run needs, in the model's order. Sizes that are not
// fixed are tensor.Unknown, and a tensor of unknown rank has the shape [Unknown].
// What is no tensor has the type tensor.Undefined.
func (s *Session) Inputs() []tensor.Info { return infos(s.inputs) }

// Outputs are the tensors that Run can give, described as Inputs are.
func (s *Session) Outputs() []tensor.Info { return infos(s.outputs) }

func infos(ports []port) []tensor.Info {
	list := make([]tensor.Info, len(ports))
	for i, p := range ports {
		list[i] = p.info
		list[i].Shape = slices.Clone(p.info.Shape)
	}
	return list
}

// Close waits for runs and gives the model's memory back. Closing again does
// nothing.
func (s *Session) Close() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.handle != 0 {
		s.engine.api.ReleaseSession(s.handle)
		s.handle = 0
	}
	return nil
}

// InferShapes loads a model without running it, and describes its outputs as
// Outputs does. They need no types in the file. With fold, nodes that depend on
// constants alone are computed, which takes the memory of what they make.
func (e *Engine) InferShapes(model []byte, fold bool) ([]tensor.Info, error) {
	level := Disabled
	if fold {
		level = Basic
	}
	s, err := e.NewSessionFromBytes(model, SessionOptions{Level: level, Threads: 1})
	if err != nil {
		return nil, err
	}
	return s.Outputs(), s.Close()
}

// Allocate makes the bytes of outputs come from take, which gives as many as it is asked for, with
// any content, to each output of its own; without it they are new. It is not called while Run is.
func (s *Session) Allocate(take func(n int) []byte) { s.take = take }
