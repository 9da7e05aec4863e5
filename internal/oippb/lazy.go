package oippb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Hold gives a request a place before it is read, and waits for one. Its size in bytes is 0
// where only its shapes say it. The context is that of the request from there on; leave
// gives the place back.
type Hold func(_ context.Context, bytes int64) (ctx context.Context, leave func(), err error)

// RegisterHolding serves like RegisterGRPCInferenceServiceServer, but does not read the
// message of a ModelInfer before hold has a place for it: until then all but its first
// bytes stay with the client (RFC 9113, section 5.2). One that is not there within a limit
// after that is refused.
func RegisterHolding(s grpc.ServiceRegistrar, server GRPCInferenceServiceServer, hold Hold, limit time.Duration) {
	// The handler of a unary method is only called with its message; that of a stream reads
	// it, and is the same to clients. Only what streams in some direction goes through the
	// server's interceptor of streams, which may be what keeps strangers out.
	service := GRPCInferenceService_ServiceDesc
	service.Methods = slices.DeleteFunc(slices.Clone(service.Methods), func(m grpc.MethodDesc) bool { return m.MethodName == "ModelInfer" })
	service.Streams = append(slices.Clone(service.Streams), grpc.StreamDesc{StreamName: "ModelInfer", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
		response, err := inferHolding(server, stream, hold, limit)
		if err != nil {
			return err
		}
		return stream.SendMsg(response)
	}})
	s.RegisterService(&service, server)
}

// inferHolding keeps its place until there is an answer: who is slow to read it holds none.
func inferHolding(server GRPCInferenceServiceServer, stream grpc.ServerStream, hold Hold, limit time.Duration) (*ModelInferResponse, error) {
	ctx, leave, err := hold(stream.Context(), 0)
	if err != nil {
		return nil, err
	}
	defer leave()
	request, err := receive(stream, limit)
	if err != nil {
		return nil, err
	}
	return server.ModelInfer(ctx, request)
}

// receive waits for the message of a stream for some time.
func receive(stream grpc.ServerStream, limit time.Duration) (*ModelInferRequest, error) {
	request, received := new(ModelInferRequest), make(chan error, 1)
	go func() { received <- stream.RecvMsg(request) }() // ends with the stream at the latest
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-received:
		return request, err
	case <-timer.C:
		return nil, status.Error(codes.DeadlineExceeded, fmt.Sprintf("the request has not come in within %v", limit))
	}
}
