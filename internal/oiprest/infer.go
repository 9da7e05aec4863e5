package oiprest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// headerLength is the header that says how many bytes of a body are JSON; binary
// tensor data follows them.
const headerLength = "Inference-Header-Content-Length"

func (h handler) infer(w http.ResponseWriter, r *http.Request) {
	request, response, err := h.take(w, r)
	if err != nil {
		reply(w, nil, err)
		return
	}
	if err := request.answer(w, response); err != nil {
		reply(w, nil, status.Errorf(codes.Internal, "the answer: %v", err))
	}
}

// size is how long a body is said to be, or the most that it may be.
func (h handler) size(r *http.Request) int64 {
	if r.ContentLength < 0 {
		return h.limit
	}
	return min(r.ContentLength, h.limit)
}

// take reads a request when there is a place for it, and has it answered.
func (h handler) take(w http.ResponseWriter, r *http.Request) (*inferRequest, *oippb.ModelInferResponse, error) {
	ctx, leave, err := h.hold(r.Context(), h.size(r))
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	request, err := h.readRequest(w, r)
	if err != nil {
		return nil, nil, err
	}
	response, err := h.server.ModelInfer(ctx, request.message)
	request.message = nil // the client may be slow to read the answer
	return request, response, err
}

// inferRequest is a request and how its answer is wanted.
type inferRequest struct {
	message *oippb.ModelInferRequest
	// binary says whether an output is wanted as binary data; "" is any other.
	binary map[string]bool
}

func (h handler) readRequest(w http.ResponseWriter, r *http.Request) (*inferRequest, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, badRequest("the body broke off: %v", err)
	}
	head, tail, err := split(body, r.Header.Get(headerLength))
	if err != nil {
		return nil, err
	}
	request, err := parseRequest(head, tail)
	if err != nil {
		return nil, err
	}
	request.message.ModelName, request.message.ModelVersion = r.PathValue("model"), r.PathValue("version")
	return request, nil
}

// split cuts a body into its JSON and the binary data behind it.
func split(body []byte, length string) (head, tail []byte, err error) {
	if length == "" {
		return body, nil, nil
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil || n > uint64(len(body)) {
		return nil, nil, badRequest("%s is %q, but the body has %d bytes", headerLength, length, len(body))
	}
	return body[:n], body[n:], nil
}

func badRequest(format string, arguments ...any) error {
	return status.Errorf(codes.InvalidArgument, format, arguments...)
}

// answer writes the response as JSON, with the outputs that are wanted so as
// binary data behind it.
func (q *inferRequest) answer(w http.ResponseWriter, response *oippb.ModelInferResponse) error {
	head, tail, err := q.encode(response)
	if err != nil {
		return err
	}
	length := len(head)
	contentType := "application/json"
	if len(tail) > 0 {
		contentType = "application/octet-stream"
		w.Header().Set(headerLength, strconv.Itoa(length))
	}
	for _, part := range tail {
		length += len(part)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(length))
	for _, part := range append([][]byte{head}, tail...) {
		if _, err := w.Write(part); err != nil {
			return nil // the client has gone; there is nobody to tell
		}
	}
	return nil
}

// output is a tensor of the answer.
type output struct {
	tensorMetadata
	Parameters map[string]any  `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

func (q *inferRequest) encode(response *oippb.ModelInferResponse) (head []byte, tail [][]byte, err error) {
	tensors, err := oippb.Outputs(response)
	if err != nil {
		return nil, nil, err
	}
	outputs := []output{}
	for _, t := range tensors {
		o := output{tensorMetadata: tensorMetadata{t.Name, oippb.Datatype(t.Type), append([]int64{}, t.Shape...)}}
		binary, named := q.binary[t.Name]
		if binary || !named && q.binary[""] {
			o.Parameters = map[string]any{binarySize: len(t.Data)}
			tail = append(tail, t.Data)
		} else if o.Data, err = t.AppendData(nil); err != nil {
			return nil, nil, err
		}
		outputs = append(outputs, o)
	}
	head, err = json.Marshal(map[string]any{
		"model_name": response.GetModelName(), "model_version": response.GetModelVersion(), "id": response.GetId(), "outputs": outputs,
	})
	return head, tail, err
}
