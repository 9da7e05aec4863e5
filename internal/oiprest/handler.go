// Package oiprest serves the HTTP/REST form of the Open Inference Protocol (KServe
// v2, specification/protocol/inference_rest.md of kserve/open-inference-protocol,
// with Triton's binary tensor data extension) from an implementation of its gRPC
// form.
package oiprest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// Handler serves /v2. A request's body is read when hold has a place for it, and may have
// limit bytes.
func Handler(server oippb.GRPCInferenceServiceServer, hold oippb.Hold, limit int64) http.Handler {
	h := handler{server: server, hold: hold, limit: limit}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2", h.serverMetadata)
	mux.HandleFunc("GET /v2/{$}", h.serverMetadata)
	mux.HandleFunc("GET /v2/health/live", h.live)
	mux.HandleFunc("GET /v2/health/ready", h.ready)
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		mux.HandleFunc("GET "+model, h.modelMetadata)
		mux.HandleFunc("GET "+model+"/ready", h.modelReady)
		mux.HandleFunc("POST "+model+"/infer", h.infer)
	}
	return mux
}

type handler struct {
	server oippb.GRPCInferenceServiceServer
	hold   oippb.Hold
	limit  int64
}

func (h handler) live(w http.ResponseWriter, r *http.Request) {
	response, err := h.server.ServerLive(r.Context(), &oippb.ServerLiveRequest{})
	reply(w, map[string]bool{"live": response.GetLive()}, positive(response.GetLive(), err, "the server is not live"))
}

func (h handler) ready(w http.ResponseWriter, r *http.Request) {
	response, err := h.server.ServerReady(r.Context(), &oippb.ServerReadyRequest{})
	reply(w, map[string]bool{"ready": response.GetReady()}, positive(response.GetReady(), err, "the server is not ready"))
}

func (h handler) modelReady(w http.ResponseWriter, r *http.Request) {
	name, version := r.PathValue("model"), r.PathValue("version")
	response, err := h.server.ModelReady(r.Context(), &oippb.ModelReadyRequest{Name: name, Version: version})
	reply(w, map[string]any{"name": name, "ready": response.GetReady()}, positive(response.GetReady(), err, fmt.Sprintf("model %q is not ready", name)))
}

// positive is an error where the answer is no: clients look at the HTTP status.
func positive(yes bool, err error, no string) error {
	if err == nil && !yes {
		return status.Error(codes.Unavailable, no)
	}
	return err
}

func (h handler) serverMetadata(w http.ResponseWriter, r *http.Request) {
	response, err := h.server.ServerMetadata(r.Context(), &oippb.ServerMetadataRequest{})
	reply(w, map[string]any{
		"name": response.GetName(), "version": response.GetVersion(), "extensions": []string{"binary_tensor_data"},
	}, err)
}

// tensorMetadata describes a tensor of a model.
type tensorMetadata struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

func (h handler) modelMetadata(w http.ResponseWriter, r *http.Request) {
	response, err := h.server.ModelMetadata(r.Context(), &oippb.ModelMetadataRequest{Name: r.PathValue("model"), Version: r.PathValue("version")})
	list := func(tensors []*oippb.ModelMetadataResponse_TensorMetadata) []tensorMetadata {
		out := []tensorMetadata{}
		for _, t := range tensors {
			out = append(out, tensorMetadata{t.GetName(), t.GetDatatype(), append([]int64{}, t.GetShape()...)})
		}
		return out
	}
	reply(w, map[string]any{
		"name": response.GetName(), "versions": response.GetVersions(), "platform": response.GetPlatform(),
		"inputs": list(response.GetInputs()), "outputs": list(response.GetOutputs()),
	}, err)
}

// reply writes a value, or the error that came in its place.
func reply(w http.ResponseWriter, value any, err error) {
	code := http.StatusOK
	if err != nil {
		code, value = httpStatus(err), map[string]string{"error": status.Convert(err).Message()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(value)
}

// clientGone is what nginx answers to a client that no longer listens.
const clientGone = 499

// httpStatus is the HTTP status of an error.
func httpStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.NotFound:
		return http.StatusNotFound
	case codes.FailedPrecondition, codes.Aborted, codes.AlreadyExists:
		return http.StatusConflict
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Canceled:
		return clientGone
	}
	return http.StatusInternalServerError
}
