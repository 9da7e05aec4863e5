package worker

import (
	"bytes"
	"context"
	"fmt"

	"github.com/prometheus/common/expfmt"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The Open Inference Protocol has no call for metrics, nor for the key that a worker goes on
// with, so the operator's socket has a service beside it: edgeplan.Worker/Metrics gives
// Prometheus' text format, and edgeplan.Worker/Key what PublicKey does.
const (
	metricsMethod = "/edgeplan.Worker/Metrics"
	keyMethod     = "/edgeplan.Worker/Key"
)

// inspector is the server's side of it.
type inspector interface {
	metricsText() ([]byte, error)
	publicKey() string
}

var inspection = grpc.ServiceDesc{
	ServiceName: "edgeplan.Worker",
	HandlerType: (*inspector)(nil),
	Methods: []grpc.MethodDesc{
		asked("Metrics", func(i inspector) (proto.Message, error) {
			text, err := i.metricsText()
			return wrapperspb.Bytes(text), err
		}),
		asked("Key", func(i inspector) (proto.Message, error) { return wrapperspb.String(i.publicKey()), nil }),
	},
}

// asked is a method that takes nothing.
func asked(name string, answer func(inspector) (proto.Message, error)) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(service any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(&emptypb.Empty{}); err != nil {
				return nil, err
			}
			return answer(service.(inspector))
		},
	}
}

func (s *server) metricsText() ([]byte, error) { return s.metrics.text() }

func (s *server) publicKey() string { return PublicKey(s.key) }

// text writes all metrics in Prometheus' text format.
func (m *metrics) text() ([]byte, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// Metrics gives the worker's metrics in Prometheus' text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	text := &wrapperspb.BytesValue{}
	err := c.conn.Invoke(ctx, metricsMethod, &emptypb.Empty{}, text)
	return text.GetValue(), err
}

// Key is the public key, as PublicKey gives it, of the key that the worker goes on with.
func (c *Client) Key(ctx context.Context) (string, error) {
	key := &wrapperspb.StringValue{}
	err := c.conn.Invoke(ctx, keyMethod, &emptypb.Empty{}, key)
	return key.GetValue(), err
}

// ReadMetrics asks the worker of a release folder for its metrics, in
// Prometheus' text format.
func ReadMetrics(dir string) ([]byte, error) {
	conn, err := dialControl(dir)
	if err != nil {
		return nil, err
	}
	client, err := NewClient(conn)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	text, err := client.Metrics(ctx)
	if err != nil {
		return nil, fmt.Errorf("the worker in %s gives no metrics: %w", dir, err)
	}
	return text, nil
}
