package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/worker"
)

// servedRelease is a worker that serves one release of one component.
type servedRelease struct {
	oippb.UnimplementedGRPCInferenceServiceServer
	component, release string
}

func (s servedRelease) find(component, release string) error {
	if component != s.component {
		return status.Errorf(codes.NotFound, "no component %s", component)
	}
	if release != "" && release != s.release {
		return status.Errorf(codes.FailedPrecondition, "release %s is not served", release)
	}
	return nil
}

func (s servedRelease) ModelMetadata(_ context.Context, r *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	return &oippb.ModelMetadataResponse{Name: r.GetName(), Versions: []string{s.release}}, s.find(r.GetName(), r.GetVersion())
}

func (s servedRelease) ModelInfer(_ context.Context, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	return &oippb.ModelInferResponse{}, s.find(r.GetModelName(), r.GetModelVersion())
}

// client is one of this worker.
func (s servedRelease) client(t *testing.T) *worker.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(oippb.NewCodec()))
	oippb.RegisterGRPCInferenceServiceServer(server, s)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := worker.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// A release that was cut off in its switch answers, as a pipeline and as one slice of it, and
// it is said that it is another one. Any other refusal stays one.
func TestInferServed(t *testing.T) {
	tests := map[string]struct {
		component, serves, asked string
		warning                  string // part of it; "" is none
		code                     codes.Code
	}{
		"a pipeline, as recorded": {"m", "r1", "m", "", codes.OK},
		"a pipeline, cut off":     {"m", "r2", "m", "the worker of m serves release r2, and the state has r1", codes.OK},
		"a slice, as recorded":    {"m/stage/1", "r1", "m/stage/1", "", codes.OK},
		"a slice, cut off":        {"m/stage/1", "r2", "m/stage/1", "the worker of m/stage/1 serves release r2", codes.OK},
		"another slice":           {"m/stage/0", "r2", "m/stage/1", "", codes.NotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := &cli{stderr: &out}
			_, err := c.inferServed(t.Context(), servedRelease{component: test.component, release: test.serves}.client(t), test.asked, "r1", nil)
			if status.Code(err) != test.code {
				t.Errorf("got %v, want %s", err, test.code)
			}
			if said := out.String(); test.warning == "" && said != "" || !strings.Contains(said, test.warning) {
				t.Errorf("it says %q, want %q", said, test.warning)
			}
		})
	}
}
