package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// prober checks a pipeline through a connection to its gateway.
type prober func(ctx context.Context, conn net.Conn, name string, m *statefile.Model) error

// probe checks that a release's whole pipeline answers, through its gateway.
func (s *site) probe(ctx context.Context, deployment, name string, m *statefile.Model) error {
	limit := s.o.ProbeTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	conn, err := s.proxy(ctx, s.release(deployment, m.Release))
	if err != nil {
		return err
	}
	defer conn.Close()
	return s.o.probe(ctx, conn, name, m)
}

// inferZeros sends one inference of zeros and looks at the form of the answer.
func inferZeros(ctx context.Context, conn net.Conn, name string, m *statefile.Model) error {
	client, err := worker.NewClient(conn)
	if err != nil {
		return err
	}
	defer client.Close()
	inputs, err := zeros(m.Inputs)
	if err != nil {
		return err
	}
	outputs, err := client.Infer(ctx, name, m.Release, inputs)
	if err != nil {
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		return err
	}
	return sameForm(outputs, m.Outputs)
}

// zeros are inputs for a model; dimensions that are open count as 1.
func zeros(infos []tensor.Info) ([]tensor.Tensor, error) {
	var list []tensor.Tensor
	for _, info := range infos {
		shape := slices.Clone(info.Shape)
		for i, size := range shape {
			if size == tensor.Unknown {
				shape[i] = 1
			}
		}
		t := tensor.Tensor{Info: tensor.Info{Name: info.Name, Type: info.Type, Shape: shape}}
		sized := t.Info
		if sized.Type == tensor.String {
			sized.Type = tensor.Uint32 // an empty string is its length, 4 bytes
		}
		size, err := sized.Bytes()
		if err != nil {
			return nil, err
		}
		t.Data = make([]byte, size)
		list = append(list, t)
	}
	return list, nil
}

// sameForm compares an answer with what the model gives.
func sameForm(got []tensor.Tensor, want []tensor.Info) error {
	if len(got) != len(want) {
		return fmt.Errorf("the answer has %d outputs instead of %d", len(got), len(want))
	}
	for i, info := range want {
		fits := got[i].Name == info.Name && got[i].Type == info.Type && len(got[i].Shape) == len(info.Shape)
		for d := 0; fits && d < len(info.Shape); d++ {
			fits = info.Shape[d] == tensor.Unknown || info.Shape[d] == got[i].Shape[d]
		}
		if !fits {
			return fmt.Errorf("the answer has %q %s %v instead of %q %s %v",
				got[i].Name, got[i].Type, got[i].Shape, info.Name, info.Type, info.Shape)
		}
	}
	return nil
}
