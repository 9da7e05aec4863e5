package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

// StageName is the model_name of one stage alone; the model's own name is that
// of the whole pipeline.
func StageName(model string, index int) string { return fmt.Sprintf("%s/stage/%d", model, index) }

// resultName is the model_name of results on their way into the gateway.
func resultName(model string) string { return model + "/result" }

// Parameters of requests between workers. timeout is Triton's: what is left of
// the request's time, in microseconds. A time of day would be wrong on a device
// without a clock; the time on the wire is not counted.
const (
	timeoutParameter   = "timeout"
	gapParameter       = "gap" // a message without tensors: some before it may be lost
	errorParameter     = "error"
	errorCodeParameter = "error_code" // a gRPC status code
	transferParameter  = "transfer"   // a transfer.Form of the raw contents; absent is none
)

// message is one request on its way down the line.
type message struct {
	id       string
	deadline time.Time // zero when there is none
	patience time.Time // until when a link waits for its neighbour
	queued   time.Time // when it came to the stage
	tensors  []tensor.Tensor
	memory   *buffers // whose the tensors' memory is; nil where others may use it
	err      error    // a status; the request has failed, and only this travels on
	gap      bool     // no request: see retry.go

	// done, when set, takes the message after the engine; it goes no further.
	done func(*message)
}

// sink is the next part of the pipeline. put waits while its queue is full.
type sink interface {
	put(ctx context.Context, m *message) error
}

// late is the status of a message whose time is over, or nil.
func (m *message) late(where string, now time.Time) error {
	if m.deadline.IsZero() || !now.After(m.deadline) {
		return nil
	}
	return status.Errorf(codes.DeadlineExceeded, "dropped %s: its time was over %v ago",
		where, now.Sub(m.deadline).Round(time.Millisecond))
}

// fail turns the message into its error.
func (m *message) fail(err error) { m.err, m.tensors = err, nil }

// request is the message as it travels to a component of a release.
func (m *message) request(component, release string, form transfer.Form, now time.Time) *oippb.ModelInferRequest {
	r := &oippb.ModelInferRequest{ModelName: component, ModelVersion: release, Id: m.id}
	parameters := map[string]*oippb.InferParameter{}
	if m.gap {
		parameters[gapParameter] = boolParameter(true)
	} else if m.err != nil {
		s := status.Convert(m.err)
		parameters[errorParameter] = stringParameter(s.Message())
		parameters[errorCodeParameter] = intParameter(int64(s.Code()))
	} else {
		oippb.SetInputs(r, m.tensors)
		shrink(r, parameters, m.tensors, form)
	}
	if !m.deadline.IsZero() {
		parameters[timeoutParameter] = intParameter(max(1, m.deadline.Sub(now).Microseconds()))
	}
	if len(parameters) > 0 {
		r.Parameters = parameters
	}
	return r
}

// shrink brings raw contents into the form in which they travel.
func shrink(r *oippb.ModelInferRequest, parameters map[string]*oippb.InferParameter, tensors []tensor.Tensor, form transfer.Form) {
	if form == "" || form == transfer.None {
		return
	}
	parameters[transferParameter] = stringParameter(string(form))
	for i, t := range tensors {
		r.RawInputContents[i] = form.Encode(t)
	}
}

// expand undoes shrink.
func expand(r *oippb.ModelInferRequest) error {
	form := transfer.Form(r.GetParameters()[transferParameter].GetStringParam())
	if form == "" || len(r.GetRawInputContents()) != len(r.GetInputs()) {
		return nil
	}
	for i, in := range r.GetInputs() {
		typ, err := oippb.ParseDatatype(in.GetDatatype())
		if err == nil {
			info := tensor.Info{Name: in.GetName(), Type: typ, Shape: in.GetShape()}
			r.RawInputContents[i], err = form.Decode(info, r.RawInputContents[i], unknownBytes)
		}
		if err != nil {
			return fmt.Errorf("input %q: %w", in.GetName(), err)
		}
	}
	return nil
}

// parseMessage reads what request writes. Tensors that are not as wanted fail
// the message, not the stream: the error travels on in its place.
func parseMessage(r *oippb.ModelInferRequest, wanted []tensor.Info, now time.Time) *message {
	m := &message{id: r.GetId(), gap: r.GetParameters()[gapParameter].GetBoolParam()}
	if m.gap {
		return m
	}
	if t := r.GetParameters()[timeoutParameter].GetInt64Param(); t > 0 {
		m.deadline = now.Add(microseconds(t))
	}
	if text, ok := r.GetParameters()[errorParameter]; ok {
		m.err = status.Error(errorCode(r.GetParameters()), text.GetStringParam())
		return m
	}
	err := expand(r)
	var tensors []tensor.Tensor
	if err == nil {
		tensors, err = oippb.Inputs(r)
	}
	if err != nil {
		m.fail(status.Error(codes.InvalidArgument, err.Error()))
		return m
	}
	m.take(tensors, wanted)
	return m
}

// take gives the message those of the tensors that the next part wants, or fails
// it. Sizes are not compared: what the engine has made is right, even where the
// model declares another shape.
func (m *message) take(tensors []tensor.Tensor, wanted []tensor.Info) {
	picked, err := pick(tensors, wanted, sameType)
	if err != nil {
		m.fail(status.Error(codes.InvalidArgument, err.Error()))
		return
	}
	m.tensors = picked
}

// errorCode is the status code that parameters carry; never that of success.
func errorCode(parameters map[string]*oippb.InferParameter) codes.Code {
	code := parameters[errorCodeParameter].GetInt64Param()
	if code <= int64(codes.OK) || code > int64(codes.Unauthenticated) {
		return codes.Unknown
	}
	return codes.Code(code)
}

// microseconds is a duration that stays in range for any number.
func microseconds(n int64) time.Duration {
	return time.Duration(min(n, maxTimeoutSeconds*1e6)) * time.Microsecond
}

// pick finds the wanted tensors by name, in the wanted order, and checks each.
// Others are left out: a model may have inputs that no stage uses.
func pick(tensors []tensor.Tensor, wanted []tensor.Info, check func(wanted, got tensor.Info) error) ([]tensor.Tensor, error) {
	out := make([]tensor.Tensor, len(wanted))
	for i, w := range wanted {
		at := slices.IndexFunc(tensors, func(t tensor.Tensor) bool { return t.Name == w.Name })
		if at < 0 {
			return nil, fmt.Errorf("tensor %q is missing: wanted %s", w.Name, describe(wanted))
		}
		if err := check(w, tensors[at].Info); err != nil {
			return nil, err
		}
		out[i] = tensors[at]
	}
	return out, nil
}

// pickAll is pick for a client, who must give what is wanted in type and shape,
// and no more.
func pickAll(tensors []tensor.Tensor, wanted []tensor.Info) ([]tensor.Tensor, error) {
	for _, t := range tensors {
		if !slices.ContainsFunc(wanted, func(w tensor.Info) bool { return w.Name == t.Name }) {
			return nil, fmt.Errorf("there is no tensor %q: wanted %s", t.Name, describe(wanted))
		}
	}
	return pick(tensors, wanted, tensor.Info.Accepts)
}

// sameType compares the types alone.
func sameType(wanted, got tensor.Info) error {
	if got.Type != wanted.Type {
		return fmt.Errorf("tensor %q has elements of %s, but they must be %s", got.Name, got.Type, wanted.Type)
	}
	return nil
}

// describe lists tensors for an error.
func describe(infos []tensor.Info) string {
	text := ""
	for i, info := range infos {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %s%v", info.Name, info.Type, info.Shape)
	}
	return text
}

func stringParameter(s string) *oippb.InferParameter {
	return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_StringParam{StringParam: s}}
}

func boolParameter(b bool) *oippb.InferParameter {
	return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_BoolParam{BoolParam: b}}
}

func intParameter(n int64) *oippb.InferParameter {
	return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_Int64Param{Int64Param: n}}
}
