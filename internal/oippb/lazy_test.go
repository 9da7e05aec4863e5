package oippb_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// mirror answers with the id it was asked with.
type mirror struct {
	oippb.UnimplementedGRPCInferenceServiceServer
}

func (mirror) ModelInfer(_ context.Context, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	return &oippb.ModelInferResponse{Id: r.GetId()}, nil
}

// gatekeeper lets requests in, or none, and counts who is in.
type gatekeeper struct {
	refuse error
	in     atomic.Int32
}

func (k *gatekeeper) hold(ctx context.Context, _ int64) (context.Context, func(), error) {
	if k.refuse != nil {
		return nil, nil, k.refuse
	}
	k.in.Add(1)
	return ctx, func() { k.in.Add(-1) }, nil
}

func serveHolding(t *testing.T, k *gatekeeper, limit time.Duration, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(append(options, grpc.ForceServerCodecV2(oippb.NewCodec()))...)
	oippb.RegisterHolding(server, mirror{}, k.hold, limit)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(oippb.NewCodec())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Clients call ModelInfer as ever, and the place is given back.
func TestHoldingAnswers(t *testing.T) {
	k := &gatekeeper{}
	client := oippb.NewGRPCInferenceServiceClient(serveHolding(t, k, time.Minute))
	for range 3 {
		response, err := client.ModelInfer(t.Context(), &oippb.ModelInferRequest{Id: "7"})
		if err != nil || response.GetId() != "7" {
			t.Fatalf("%v, %v", response, err)
		}
	}
	if in := k.in.Load(); in != 0 {
		t.Errorf("%d places are still held", in)
	}
	k.refuse = status.Error(codes.ResourceExhausted, "full")
	if _, err := client.ModelInfer(t.Context(), &oippb.ModelInferRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v", err)
	}
}

// Who opens a request and does not send it loses the place.
func TestHoldingDoesNotWaitForEver(t *testing.T) {
	k := &gatekeeper{}
	conn := serveHolding(t, k, 50*time.Millisecond)
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{}, oippb.GRPCInferenceService_ModelInfer_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	err = stream.RecvMsg(new(oippb.ModelInferResponse))
	if status.Code(err) != codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	for k.in.Load() != 0 {
		time.Sleep(time.Millisecond)
	}
}

// Whom the server's interceptor refuses gets no place and no answer.
func TestHoldingIsIntercepted(t *testing.T) {
	k := &gatekeeper{refuse: status.Error(codes.ResourceExhausted, "it came as far as the places")}
	guard := func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
		return status.Error(codes.Unauthenticated, "no token")
	}
	client := oippb.NewGRPCInferenceServiceClient(serveHolding(t, k, time.Minute, grpc.StreamInterceptor(guard)))
	if _, err := client.ModelInfer(t.Context(), &oippb.ModelInferRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("error %v", err)
	}
}
