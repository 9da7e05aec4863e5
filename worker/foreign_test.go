package worker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/servertest"
)

// foreignPort is the gRPC port of a running pipeline of two stages.
func foreignPort(t *testing.T) string {
	t.Helper()
	c := newCluster(t, layout{stages: 2, gateway: 0})
	a := c.open("127.0.0.1", func(*Access) {})
	c.start()
	c.makeCurrent(0)
	grpcClient(t, a.GRPC) // waits until it is open
	return a.GRPC
}

func output(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// grpcurl needs no .proto: the service describes itself.
func TestGrpcurl(t *testing.T) {
	grpcurl := servertest.Program(t, servertest.Grpcurl)
	address := foreignPort(t)
	call := func(args ...string) string {
		t.Helper()
		out, err := output(t, nil, grpcurl, append([]string{"-plaintext"}, args...)...)
		if err != nil {
			t.Fatalf("grpcurl %q: %v\n%s", args, err, out)
		}
		return out
	}
	if out := call(address, "list"); !strings.Contains(out, "inference.GRPCInferenceService") {
		t.Errorf("list: %s", out)
	}
	// Raw contents are base64 in JSON: 5 and seven zeros.
	request := `{"model_name": "toy", "id": "one",
		"inputs": [{"name": "t0", "datatype": "UINT8", "shape": [8]}, {"name": "skip", "datatype": "INT64", "shape": []}],
		"raw_input_contents": ["BQAAAAAAAAA=", "BQAAAAAAAAA="]}`
	const answer = `"BwIAAAAAAAA="` // 7 2 0 0 0 0 0 0
	if out := call("-d", request, address, "inference.GRPCInferenceService/ModelInfer"); !strings.Contains(out, answer) || !strings.Contains(out, `"id": "one"`) {
		t.Errorf("ModelInfer: %s", out)
	}
	if out := call("-d", request+request, address, "inference.GRPCInferenceService/ModelStreamInfer"); strings.Count(out, answer) != 2 {
		t.Errorf("ModelStreamInfer: %s", out)
	}
	wrong := strings.Replace(request, "UINT8", "FP32", 1)
	if out, err := output(t, nil, grpcurl, "-plaintext", "-d", wrong, address, "inference.GRPCInferenceService/ModelInfer"); err == nil || !strings.Contains(out, "Code: InvalidArgument") {
		t.Errorf("a wrong type: %v\n%s", err, out)
	}
}

// The gRPC of Node.js with the public .proto.
func TestClientOfNodeJS(t *testing.T) {
	modules := servertest.Program(t, servertest.GRPCJS)
	address := foreignPort(t)
	proto, err := filepath.Abs("../internal/oippb/open_inference_grpc.proto")
	if err != nil {
		t.Fatal(err)
	}
	out, err := output(t, []string{"NODE_PATH=" + filepath.Join(modules, "node_modules")}, "node", "testdata/client.js", proto, address)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = `live true
ready true
inputs t0 UINT8 [8], skip INT64 []
one t2 7 2 0 0 0 0 0 0
s0: 2
s1: 3
s2: 4
s3: `
	const end = `s4: 6
s5: 7
code 5 there is no model "other" on this worker, which has ["toy"]`
	if !strings.HasPrefix(out, want) || !strings.HasSuffix(out, end) || !strings.Contains(out, `s3: toy: input tensor "t0": float32 of shape [8] takes 32 bytes`) {
		t.Errorf("got\n%s\nwanted\n%s...\n%s", out, want, end)
	}
}
