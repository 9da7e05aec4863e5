package oiprest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/oiprest"
)

// echo is a server whose model "echo" gives its inputs back, and "busy" never
// has room.
type echo struct {
	oippb.UnimplementedGRPCInferenceServiceServer
}

func (echo) ServerLive(context.Context, *oippb.ServerLiveRequest) (*oippb.ServerLiveResponse, error) {
	return &oippb.ServerLiveResponse{Live: true}, nil
}

func (echo) ServerReady(context.Context, *oippb.ServerReadyRequest) (*oippb.ServerReadyResponse, error) {
	return &oippb.ServerReadyResponse{}, nil
}

func (echo) ServerMetadata(context.Context, *oippb.ServerMetadataRequest) (*oippb.ServerMetadataResponse, error) {
	return &oippb.ServerMetadataResponse{Name: "echo-server", Version: "1.2.3"}, nil
}

func (echo) ModelReady(_ context.Context, r *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	if r.GetName() != "echo" {
		return nil, status.Errorf(codes.NotFound, "there is no model %q", r.GetName())
	}
	return &oippb.ModelReadyResponse{Ready: true}, nil
}

func (echo) ModelMetadata(_ context.Context, r *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	return &oippb.ModelMetadataResponse{Name: r.GetName(), Versions: []string{"r1"}, Platform: "onnx_onnxv1",
		Inputs: []*oippb.ModelMetadataResponse_TensorMetadata{{Name: "x", Datatype: "FP32", Shape: []int64{-1, 2}}}}, nil
}

func (echo) ModelInfer(_ context.Context, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	if r.GetModelName() == "busy" {
		return nil, status.Error(codes.ResourceExhausted, "the queue is full")
	}
	tensors, err := oippb.Inputs(r)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	response := &oippb.ModelInferResponse{ModelName: r.GetModelName(), ModelVersion: "r1", Id: r.GetId()}
	oippb.SetOutputs(response, tensors)
	return response, nil
}

const limit = 1 << 12

func serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(oiprest.Handler(echo{}, unheld, limit))
	t.Cleanup(server.Close)
	return server.URL
}

func do(t *testing.T, method, url, body string, header http.Header) (code int, answer string, head http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(data)), response.Header
}

func TestQuestions(t *testing.T) {
	url := serve(t)
	for _, test := range []struct {
		path string
		code int
		want string
	}{
		{"/v2", 200, `{"extensions":["binary_tensor_data"],"name":"echo-server","version":"1.2.3"}`},
		{"/v2/health/live", 200, `{"live":true}`},
		{"/v2/health/ready", 503, `{"error":"the server is not ready"}`},
		{"/v2/models/echo/ready", 200, `{"name":"echo","ready":true}`},
		{"/v2/models/echo/versions/r1/ready", 200, `{"name":"echo","ready":true}`},
		{"/v2/models/a%2Fb/ready", 404, `{"error":"there is no model \"a/b\""}`},
		{"/v2/models/echo", 200, `{"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"name":"echo","outputs":[],"platform":"onnx_onnxv1","versions":["r1"]}`},
		{"/v2/models/echo/infer", 405, "Method Not Allowed"},
		{"/v1/models", 404, "404 page not found"},
	} {
		code, answer, _ := do(t, "GET", url+test.path, "", nil)
		if code != test.code || answer != test.want {
			t.Errorf("GET %s: %d %s", test.path, code, answer)
		}
	}
}

// Every element type that JSON has a form for comes back as it went.
func TestInferTypes(t *testing.T) {
	url := serve(t)
	for datatype, data := range map[string]string{
		"BOOL": "true, false", "BYTES": `"a", "\u00e9\n"`, "FP16": "0.5, -65504", "BF16": "1, -3", "FP32": `0.1, "NaN"`, "FP64": `0.1, "-Inf"`,
		"INT8": "-128, 127", "INT16": "-32768, 1", "INT32": "-2147483648, 1", "INT64": "-9223372036854775808, 9223372036854775807",
		"UINT8": "0, 255", "UINT16": "0, 65535", "UINT32": "0, 4294967295", "UINT64": "0, 18446744073709551615",
	} {
		request := fmt.Sprintf(`{"id": "7", "inputs": [{"name": "x", "datatype": %q, "shape": [2, 1], "data": [[%s]]}]}`, datatype, strings.Replace(data, ", ", "], [", 1))
		code, answer, _ := do(t, "POST", url+"/v2/models/echo/infer", request, nil)
		want := fmt.Sprintf(`{"model_name": "echo", "model_version": "r1", "id": "7", "outputs": [{"name": "x", "datatype": %q, "shape": [2, 1], "data": [%s]}]}`, datatype, data)
		if code != 200 || !sameJSON(t, answer, want) {
			t.Errorf("%s: %d %s, want %s", datatype, code, answer, want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Error(err)
	}
	return cmp.Equal(x, y)
}

func TestBinaryData(t *testing.T) {
	url := serve(t) + "/v2/models/echo/infer"
	head := `{"inputs": [{"name": "x", "datatype": "INT16", "shape": [2], "parameters": {"binary_data_size": 4}},
		{"name": "y", "datatype": "UINT8", "shape": [1], "data": [9]},
		{"name": "z", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 6}}],
		"outputs": [{"name": "x", "parameters": {"binary_data": true}}, {"name": "y"}, {"name": "z", "parameters": {"binary_data": true}}]}`
	tail := "\x01\x00\xff\xff" + "\x02\x00\x00\x00ab"
	length := http.Header{"Inference-Header-Content-Length": {fmt.Sprint(len(head))}}
	code, answer, header := do(t, "POST", url, head+tail, length)
	n := 0
	fmt.Sscan(header.Get("Inference-Header-Content-Length"), &n)
	if code != 200 || n == 0 || n > len(answer) || answer[n:] != tail || header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %v %q", code, header, answer)
	}
	if want := `"outputs":[{"name":"x","datatype":"INT16","shape":[2],"parameters":{"binary_data_size":4}},{"name":"y","datatype":"UINT8","shape":[1],"data":[9]},{"name":"z"`; !strings.Contains(answer, want) {
		t.Errorf("%s does not contain %s", answer, want)
	}
	all := `{"parameters": {"binary_data_output": true}, "inputs": [{"name": "x", "datatype": "UINT8", "shape": [1], "data": [65]}]}`
	if code, answer, _ := do(t, "POST", url, all, nil); code != 200 || !strings.HasSuffix(answer, "A") {
		t.Errorf("%d %q", code, answer)
	}
}

func TestWhatClientsGetWrong(t *testing.T) {
	url := serve(t)
	in := func(rest string) string { return `{"inputs": [{"name": "x", ` + rest + `}]}` }
	for _, test := range []struct {
		name, body, length string
		code               int
		want               string
	}{
		{"no JSON", "hello", "", 400, "the request is no JSON of the protocol: "},
		{"broken off", `{"inputs": [`, "", 400, "unexpected EOF"},
		{"something behind", `{} {}`, "", 400, "something follows the end of the JSON"},
		{"too large", strings.Repeat(" ", limit+1), "", 413, "request body too large"},
		{"no name", `{"inputs": [{}]}`, "", 400, "inputs[0] has no name"},
		{"no datatype", in(`"shape": [1]`), "", 400, `input "x": "" is no datatype`},
		{"unknown datatype", in(`"datatype": "FP12", "shape": [1]`), "", 400, `"FP12" is no datatype`},
		{"no data", in(`"datatype": "FP32", "shape": [1]`), "", 400, "takes 1 elements, but there are 0"},
		{"too much data", in(`"datatype": "FP32", "shape": [1], "data": [1, 2]`), "", 400, "one list of the 1 elements of shape [1]"},
		{"no list", in(`"datatype": "FP32", "shape": [1], "data": 1`), "", 400, "one list"},
		{"an object", in(`"datatype": "FP32", "shape": [1], "data": [{"a": 1}]`), "", 400, "{ is no float32"},
		{"out of range", in(`"datatype": "UINT8", "shape": [1], "data": [256]`), "", 400, "256: value out of range"},
		{"a fraction", in(`"datatype": "INT8", "shape": [1], "data": [1.5]`), "", 400, "1.5: invalid syntax"},
		{"text for a number", in(`"datatype": "FP32", "shape": [1], "data": ["1"]`), "", 400, "1 is no float32"},
		{"unknown shape", in(`"datatype": "FP32", "shape": [-1], "data": [1]`), "", 400, "unknown dimension"},
		{"absurd shape", in(`"datatype": "FP32", "shape": [9000000000000000000], "data": [1]`), "", 400, "but there are 1"},
		{"header longer than the body", "{}", "3", 400, `Inference-Header-Content-Length is "3", but the body has 2 bytes`},
		{"header no number", "{}", "x", 400, `is "x"`},
		{"binary data left over", "{}abc", "2", 400, "3 bytes of binary data are left over"},
		{"binary data missing", in(`"datatype": "UINT8", "shape": [9], "parameters": {"binary_data_size": 9}`), "", 400, "binary_data_size is 9, but 0 bytes"},
		{"data twice", in(`"datatype": "UINT8", "shape": [1], "data": [1], "parameters": {"binary_data_size": 1}`), "", 400, "both data and binary_data_size"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.length != "" {
				header.Set("Inference-Header-Content-Length", test.length)
			}
			code, answer, _ := do(t, "POST", url+"/v2/models/echo/infer", test.body, header)
			var e struct{ Error string }
			if err := json.Unmarshal([]byte(answer), &e); err != nil || code != test.code || !strings.Contains(e.Error, test.want) {
				t.Errorf("%d %s", code, answer)
			}
		})
	}
	if code, answer, _ := do(t, "POST", url+"/v2/models/busy/infer", "{}", nil); code != 429 || answer != `{"error":"the queue is full"}` {
		t.Errorf("%d %s", code, answer)
	}
}

// No body makes the handler panic, and every answer is JSON.
func FuzzInfer(f *testing.F) {
	f.Add([]byte(`{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}`), "")
	f.Add([]byte(`{"inputs": [{"name": "x", "datatype": "UINT8", "shape": [1], "parameters": {"binary_data_size": 1}}]}a`), "96")
	f.Add([]byte(`{"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["a"]}], "outputs": [{"name": "x"}]}`), "2")
	handler := oiprest.Handler(echo{}, unheld, limit)
	f.Fuzz(func(t *testing.T, body []byte, length string) {
		r := httptest.NewRequest("POST", "/v2/models/echo/infer", strings.NewReader(string(body)))
		if length != "" {
			r.Header.Set("Inference-Header-Content-Length", length)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		head := w.Body.Bytes()
		if n := 0; w.Header().Get("Inference-Header-Content-Length") != "" {
			fmt.Sscan(w.Header().Get("Inference-Header-Content-Length"), &n)
			head = head[:n]
		}
		if !json.Valid(head) {
			t.Errorf("%d %q", w.Code, head)
		}
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s", head)
		}
	})
}

// unheld has a place for everybody.
func unheld(ctx context.Context, _ int64) (context.Context, func(), error) {
	return ctx, func() {}, nil
}
