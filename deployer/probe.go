package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"

	"google.golang.org/grpc/codes"

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
	err = s.o.probe(ctx, conn, name, m)
	switch {
	case cancelled(err) && context.Cause(ctx) != nil:
		return context.Cause(ctx) // which is all there is to say
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w: %v", context.Cause(ctx), err)
	case brokenOff(err):
		return fmt.Errorf("%w: the gateway's worker ended meanwhile, as it does when memory runs out; its log (%s) and `dmesg` there tell",
			err, path.Join(s.release(deployment, m.Release), worker.LogFile))
	}
	return err
}

// cancelled says whether a request only failed because whoever made it gave it up.
func cancelled(err error) bool {
	var failed *worker.RequestError
	return errors.Is(err, context.Canceled) || errors.As(err, &failed) && failed.Code == codes.Canceled
}

// brokenOff says whether a request failed because the other end of its connection went away.
func brokenOff(err error) bool {
	var failed *worker.RequestError
	return errors.As(err, &failed) && failed.Code == codes.Unavailable && strings.HasSuffix(failed.Message, "EOF")
}

// inferZeros sends one inference of zeros and looks at the form of the answer.
func inferZeros(ctx context.Context, conn net.Conn, name string, m *statefile.Model) error {
	client, err := worker.NewClient(conn)
	if err != nil {
		return err
	}
	defer client.Close()
	var inputs []tensor.Tensor
	for _, info := range m.Inputs {
		input, err := info.Zeros()
		if err != nil {
			return err
		}
		inputs = append(inputs, input)
	}
	outputs, err := client.Infer(ctx, name, m.Release, inputs)
	if err != nil {
		return err
	}
	return sameForm(outputs, m.Outputs)
}

// sameForm compares an answer with what the model gives.
func sameForm(got []tensor.Tensor, want []tensor.Info) error {
	if len(got) != len(want) {
		return fmt.Errorf("the answer has %d outputs instead of %d", len(got), len(want))
	}
	for i, info := range want {
		if got[i].Name != info.Name {
			return fmt.Errorf("the answer has the output %q instead of %q", got[i].Name, info.Name)
		}
		if err := info.Accepts(got[i].Info); err != nil {
			return fmt.Errorf("the answer does not fit: %w", err)
		}
	}
	return nil
}
