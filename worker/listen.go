package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/resolve"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Limits on what others may use up.
const (
	maxConnections  = 64               // of one listener
	maxHeaderBytes  = 16 << 10         // of one call
	connectTimeout  = 5 * time.Second  // TCP, TLS and HTTP/2 set-up together
	pingEvery       = 10 * time.Second // a neighbour that vanished is noticed after this and pingTimeout
	pingTimeout     = 5 * time.Second
	messageOverhead = 64 << 10  // names, shapes and parameters
	unknownBytes    = 256 << 20 // a tensor whose size the manifest does not know
	minWindow       = 1 << 20   // bytes on their way that need no acknowledgement: 100 Mbit/s at 80 ms
	maxWindow       = 16 << 20
)

// listenTCP opens the port for neighbours. A host that is an address of this
// device is bound; a name, or an address that only others see (a router's), is
// listened to on all addresses.
func listenTCP(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		address = net.JoinHostPort("", port)
	}
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		listener, err = net.Listen("tcp", net.JoinHostPort("", port))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen for neighbours: %w", err)
	}
	return newGate(listener, maxConnections), nil
}

// listenControl opens the operator's socket. The caller holds the worker's lock,
// so a socket that is there is left over.
func listenControl(dir string) (net.Listener, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the operator: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	return netutil.LimitListener(listener, maxConnections), nil
}

// maxSocketPath is what fits into a socket's address on every Unix.
const maxSocketPath = 103

// socketPath is the shorter of the socket's absolute path and the one relative
// to the working folder.
func socketPath(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, SocketFile))
	if err != nil {
		return "", err
	}
	if wd, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(wd, path); err == nil && len(relative) < len(path) {
			path = relative
		}
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("%s: longer than the %d bytes of a socket's address: change into the folder first", path, maxSocketPath)
	}
	return path, nil
}

// messageLimit is the most bytes a message with these tensors has. typed adds
// what they take as typed contents, where a small integer can take ten bytes.
func messageLimit(infos []tensor.Info, typed bool) int {
	total := int64(messageOverhead)
	for _, info := range infos {
		bytes, err := info.Bytes()
		if err != nil {
			bytes = unknownBytes
		} else if elements, _ := info.Elements(); typed && elements <= math.MaxInt32 {
			bytes = max(bytes, 10*elements)
		}
		total += min(bytes, math.MaxInt32) + messageOverhead/64
		total = min(total, math.MaxInt32)
	}
	return int(total)
}

// neighbourLimit is the most bytes a message between workers has. It may have
// more than the manifest says: a model can declare a wrong shape, and can have
// inputs that no stage reads.
func neighbourLimit(infos []tensor.Info) int {
	return max(messageLimit(infos, false), unknownBytes)
}

// serverOptions bound what one connection and one message may take.
func serverOptions(limit, streams int) []grpc.ServerOption {
	window := int32(min(max(minWindow, limit), maxWindow))
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(oippb.NewCodec()),
		grpc.MaxRecvMsgSize(limit),
		grpc.MaxConcurrentStreams(uint32(streams)),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery / 2, PermitWithoutStream: true}),
	}
}

// dialNeighbour makes a connection that comes back by itself within a second.
func dialNeighbour(p Peer, config *tls.Config, limit int) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+p.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return resolve.Dial(ctx, address, connectTimeout)
		}),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(oippb.NewCodec()), grpc.MaxCallSendMsgSize(limit)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: connectTimeout,
		}))
}
