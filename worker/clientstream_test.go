package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// grpcClient is a client of others, with gRPC's own codec, once the port is open.
func grpcClient(t *testing.T, address string) oippb.GRPCInferenceServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := oippb.NewGRPCInferenceServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := client.ServerLive(ctx, &oippb.ServerLiveRequest{}); err != nil {
		t.Fatal(err)
	}
	return client
}

func inferRequest(number byte) *oippb.ModelInferRequest {
	r := &oippb.ModelInferRequest{ModelName: testModel, Id: fmt.Sprint("number ", number)}
	oippb.SetInputs(r, request(8, number))
	return r
}

// A stream's answers come in its order, errors among them, and the stream goes on.
func TestStreamOfAClient(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 0})
	a := c.open("127.0.0.1", func(*Access) {})
	under, most := make(chan struct{}, 100), 0
	c.engines[1].before = func(byte) error {
		most = max(most, len(under))
		time.Sleep(time.Millisecond)
		return nil
	}
	c.start()
	c.makeCurrent(0)
	stream, err := grpcClient(t, a.GRPC).ModelStreamInfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const requests = 40
	for i := range byte(requests) {
		r := inferRequest(i)
		if i%10 == 7 {
			r.ModelName = "other"
		}
		under <- struct{}{}
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for i := range byte(requests) {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		<-under
		if want := fmt.Sprint("number ", i); r.GetInferResponse().GetId() != want {
			t.Fatalf("answer %d is for %q", i, r.GetInferResponse().GetId())
		}
		if i%10 == 7 {
			if code := errorCode(r.GetInferResponse().GetParameters()); code != codes.NotFound || !strings.Contains(r.GetErrorMessage(), `no model "other"`) {
				t.Errorf("answer %d: %v %q", i, code, r.GetErrorMessage())
			}
			continue
		}
		out, err := oippb.Outputs(r.GetInferResponse())
		if err == nil {
			err = checkAnswer(out, 2, i)
		}
		if err != nil {
			t.Errorf("answer %d: %v", i, err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
	if most < 2 {
		t.Errorf("at most %d requests were under way at once", most)
	}
}

// A client that leaves in the middle leaves nothing behind: newCluster counts goroutines.
func TestStreamOfAClientThatLeaves(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0})
	a := c.open("127.0.0.1", func(*Access) {})
	c.engines[0].before = func(byte) error { time.Sleep(time.Millisecond); return nil }
	c.start()
	c.makeCurrent(0)
	client := grpcClient(t, a.GRPC)
	ctx, leave := context.WithCancel(t.Context())
	stream, err := client.ModelStreamInfer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(100) {
		if err := stream.Send(inferRequest(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	leave()
	if r, err := client.ModelInfer(t.Context(), inferRequest(9)); err != nil {
		t.Errorf("the next client got %v, %v", r, err)
	}
}
