package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Client talks to one worker as its operator, over one connection to its
// control socket. Its methods may be called at the same time.
type Client struct {
	conn *grpc.ClientConn
	rpc  oippb.GRPCInferenceServiceClient
}

// Component describes what can be inferred: a whole model or one stage.
type Component struct {
	Releases        []string
	Inputs, Outputs []tensor.Info
	Properties      map[string]string
}

// NewClient makes a client of an open connection, which it closes with Close. No
// second connection is made: when this one breaks, all calls fail.
func NewClient(conn net.Conn) (*Client, error) {
	var used atomic.Bool
	dial := func(context.Context, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errors.New("the connection to the worker has ended")
		}
		return conn, nil
	}
	c, err := grpc.NewClient("passthrough:///worker",
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the socket's permissions and SSH guard it
		grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(maxWindow), grpc.WithInitialConnWindowSize(maxWindow),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(oippb.NewCodec()), grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c.Connect()
	return &Client{conn: c, rpc: oippb.NewGRPCInferenceServiceClient(c)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Ready tells whether the worker has loaded its engine and takes requests.
func (c *Client) Ready(ctx context.Context) (bool, error) {
	r, err := c.rpc.ServerReady(ctx, &oippb.ServerReadyRequest{})
	return r.GetReady(), err
}

// ModelReady tells whether a component can be asked; for the whole model, whether
// both ends of the pipeline are connected to the gateway. An empty release is
// the one there is. Errors are *RequestError.
func (c *Client) ModelReady(ctx context.Context, name, release string) (bool, error) {
	r, err := c.rpc.ModelReady(ctx, &oippb.ModelReadyRequest{Name: name, Version: release})
	if err != nil {
		return false, &RequestError{Code: status.Code(err), Message: reasonText(status.Convert(err).Message())}
	}
	return r.GetReady(), nil
}

// Version is that of the worker.
func (c *Client) Version(ctx context.Context) (string, error) {
	r, err := c.rpc.ServerMetadata(ctx, &oippb.ServerMetadataRequest{})
	return r.GetVersion(), err
}

// Metadata describes a component: "<model>" at the gateway, or StageName.
func (c *Client) Metadata(ctx context.Context, name, release string) (Component, error) {
	r, err := c.rpc.ModelMetadata(ctx, &oippb.ModelMetadataRequest{Name: name, Version: release})
	if err != nil {
		return Component{}, err
	}
	inputs, err := oippb.Infos(r.GetInputs())
	if err != nil {
		return Component{}, err
	}
	outputs, err := oippb.Infos(r.GetOutputs())
	return Component{Releases: r.GetVersions(), Inputs: inputs, Outputs: outputs, Properties: r.GetProperties()}, err
}

// Infer runs one request through a component and gives its outputs in the
// component's order. An empty release is the one there is. What the worker
// refuses is a *RequestError.
func (c *Client) Infer(ctx context.Context, name, release string, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	request := &oippb.ModelInferRequest{ModelName: name, ModelVersion: release}
	oippb.SetInputs(request, inputs)
	response, err := c.rpc.ModelInfer(ctx, request)
	if err != nil {
		return nil, &RequestError{Code: status.Code(err), Message: reasonText(status.Convert(err).Message())}
	}
	outputs, err := oippb.Outputs(response)
	if err != nil {
		return nil, fmt.Errorf("the worker's answer: %w", err)
	}
	return outputs, nil
}

// RequestError is a request that was not answered: its message says which part of
// the pipeline failed and why.
type RequestError struct {
	Code    codes.Code // of gRPC
	Message string
}

func (e *RequestError) Error() string { return e.Message }

// GRPCStatus lets status.FromError and status.Code see the code.
func (e *RequestError) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// Pipe makes a connection of two byte streams, such as the standard output and
// input of a proxy at the other end of an SSH session. close ends both.
// It has no deadlines of its own.
func Pipe(r io.Reader, w io.Writer, close func() error) net.Conn {
	return pipe{r, w, close}
}

type pipe struct {
	io.Reader
	io.Writer
	close func() error
}

func (p pipe) Close() error                  { return p.close() }
func (pipe) LocalAddr() net.Addr             { return pipeAddr{} }
func (pipe) RemoteAddr() net.Addr            { return pipeAddr{} }
func (pipe) SetDeadline(time.Time) error     { return nil }
func (pipe) SetReadDeadline(time.Time) error { return nil }
func (pipe) SetWriteDeadline(time.Time) error {
	return nil
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "worker" }
