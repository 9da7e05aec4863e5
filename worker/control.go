package worker

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/version"
)

// component is something that the operator can ask for an inference.
type component struct {
	inputs, outputs []tensor.Info
	ready           func() error
	infer           func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error)
	properties      map[string]string
}

// control is the service for the operator, on the Unix socket.
type control struct {
	oippb.UnimplementedGRPCInferenceServiceServer
	release    string
	components map[string]component
	ahead      int // messages of one stream that are under way at once
	hold       oippb.Hold
}

func newControl(m Manifest, s *stage, g *gateway) *control {
	c := &control{release: m.Release, components: map[string]component{}, ahead: inFlight(m), hold: unheld}
	if s != nil {
		st := m.Stage
		c.components[StageName(m.Model, st.Index)] = component{
			inputs: st.Inputs, outputs: st.Outputs, infer: s.once,
			ready:      func() error { return nil },
			properties: map[string]string{"node": m.Node, "stage": strconv.Itoa(st.Index), "stages": strconv.Itoa(st.Count)},
		}
	}
	if g != nil {
		c.hold = g.hold
		c.components[m.Model] = component{
			inputs: g.Inputs, outputs: g.Outputs, infer: g.infer, ready: g.ready,
			properties: map[string]string{"node": m.Node},
		}
	}
	return c
}

// ServerLive answers as soon as the socket does.
func (c *control) ServerLive(context.Context, *oippb.ServerLiveRequest) (*oippb.ServerLiveResponse, error) {
	return &oippb.ServerLiveResponse{Live: true}, nil
}

// ServerReady is true from the start: the socket opens when the engine has
// loaded and warmed up and the neighbours can connect.
func (c *control) ServerReady(context.Context, *oippb.ServerReadyRequest) (*oippb.ServerReadyResponse, error) {
	return &oippb.ServerReadyResponse{Ready: true}, nil
}

// ModelReady of the whole pipeline is true when both its ends are connected to
// the gateway.
func (c *control) ModelReady(_ context.Context, r *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	found, err := c.find(r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return &oippb.ModelReadyResponse{Ready: found.ready() == nil}, nil
}

// ServerMetadata names the worker and its version.
func (c *control) ServerMetadata(context.Context, *oippb.ServerMetadataRequest) (*oippb.ServerMetadataResponse, error) {
	return &oippb.ServerMetadataResponse{Name: ProgramFile, Version: version.Version}, nil
}

// ModelMetadata describes the inputs and outputs of a component.
func (c *control) ModelMetadata(_ context.Context, r *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	found, err := c.find(r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return &oippb.ModelMetadataResponse{
		Name: r.GetName(), Versions: []string{c.release}, Platform: "onnx_onnxv1",
		Inputs: oippb.Metadata(found.inputs), Outputs: oippb.Metadata(found.outputs),
		Properties: found.properties,
	}, nil
}

// ModelInfer runs one request through the whole pipeline or a slice alone.
func (c *control) ModelInfer(ctx context.Context, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	found, err := c.find(r.GetModelName(), r.GetModelVersion())
	if err != nil {
		return nil, err
	}
	tensors, err := oippb.Inputs(r)
	if err == nil {
		tensors, err = pickAll(tensors, found.inputs)
	}
	if err == nil {
		err = checkRequested(r, found.outputs)
	}
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "%s: %v", r.GetModelName(), err)
	}
	if t := r.GetParameters()[timeoutParameter].GetInt64Param(); t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, microseconds(t))
		defer cancel()
	}
	out, err := found.infer(ctx, tensors)
	if err != nil {
		return nil, status.Convert(err).Err()
	}
	response := &oippb.ModelInferResponse{ModelName: r.GetModelName(), ModelVersion: c.release, Id: r.GetId()}
	oippb.SetOutputs(response, requested(r, out))
	return response, nil
}

// find gives a component; an empty version means the one there is.
func (c *control) find(name, version string) (component, error) {
	found, ok := c.components[name]
	if !ok {
		return component{}, status.Errorf(codes.NotFound, "there is no model %q on this worker, which has %q", name, sortedKeys(c.components))
	}
	if version != "" && version != c.release {
		return component{}, status.Errorf(codes.FailedPrecondition, "this worker runs release %s of %q, not %s", c.release, name, version)
	}
	return found, nil
}

func checkRequested(r *oippb.ModelInferRequest, outputs []tensor.Info) error {
	for _, o := range r.GetOutputs() {
		if indexOf(outputs, o.GetName()) < 0 {
			return fmt.Errorf("there is no output %q: it gives %s", o.GetName(), describe(outputs))
		}
	}
	return nil
}

// requested are the outputs that the client asks for: all when it names none.
func requested(r *oippb.ModelInferRequest, out []tensor.Tensor) []tensor.Tensor {
	if len(r.GetOutputs()) == 0 {
		return out
	}
	var some []tensor.Tensor
	for _, o := range r.GetOutputs() {
		at := slices.IndexFunc(out, func(t tensor.Tensor) bool { return t.Name == o.GetName() })
		if at >= 0 {
			some = append(some, out[at])
		}
	}
	return some
}
