package worker

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// The port for clients belongs to the release that is current. Several releases
// of a model run at once while one takes over from the other, so the gateway's
// worker opens the port when `current` comes to point at its release, and closes
// it when it no longer does. For a moment both have it open, and no client meets
// a closed port.

// currentEvery is how often a worker looks where `current` points.
const currentEvery = 100 * time.Millisecond

// front serves clients while the release of its folder is current.
type front struct {
	server *server
	access Access
	dir    string // the release folder without links
	log    *slog.Logger
	said   string // why clients were not served the last time
}

// newFront is nil where the manifest names no access for clients.
func newFront(s *server, dir string) (*front, error) {
	if s.gateway == nil || s.gateway.Access == nil {
		return nil, nil
	}
	real, err := filepath.Abs(dir)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	return &front{server: s, access: *s.gateway.Access, dir: real, log: s.log}, err
}

// start runs a front, if there is one. stop waits until it has ended.
func (f *front) start() (stop func()) {
	if f == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// run ends with ctx, when requests in hand have been answered or grace is over.
func (f *front) run(ctx context.Context) {
	for ctx.Err() == nil {
		if f.current() {
			f.serve(ctx)
		}
		pause(ctx, currentEvery)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// current tells whether <deployment>/current leads to this release.
func (f *front) current() bool {
	target, err := filepath.EvalSymlinks(filepath.Join(f.dir, "..", "..", CurrentLink))
	return err == nil && target == f.dir
}

// serve keeps the ports open until the release is no longer current.
func (f *front) serve(ctx context.Context) {
	var stops []func(context.Context)
	for _, open := range []func() (func(context.Context), error){f.openHTTP, f.openGRPC} {
		stop, err := open()
		if err != nil {
			f.refused(err)
			pause(ctx, time.Second)
			break
		}
		stops = append(stops, stop)
	}
	if len(stops) == 2 {
		f.said = ""
		f.log.Info("serving clients", "http", f.access.HTTP, "grpc", f.access.GRPC)
		for ctx.Err() == nil && f.current() {
			pause(ctx, currentEvery)
		}
	}
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, stop := range stops {
		stop(ending)
	}
}

// refused logs why clients are not served, once for each reason: it is tried again every second.
func (f *front) refused(err error) {
	if text := err.Error(); f.said != text {
		f.said = text
		f.log.Error("clients are not served", "error", err)
	}
}

func (f *front) openHTTP() (stop func(context.Context), err error) {
	if f.access.HTTP == "" {
		return func(context.Context) {}, nil
	}
	server, err := f.server.httpServer(f.access)
	if err != nil {
		return nil, err
	}
	listener, err := listenShared(f.access.HTTP)
	if err != nil {
		return nil, err
	}
	go func() {
		var err error
		if server.TLSConfig != nil {
			err = server.ServeTLS(listener, "", "")
		} else {
			err = server.Serve(listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			f.log.Error("the port for clients broke", "error", err)
		}
	}()
	return func(ctx context.Context) {
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	}, nil
}

func (f *front) openGRPC() (stop func(context.Context), err error) {
	if f.access.GRPC == "" {
		return func(context.Context) {}, nil
	}
	server, err := f.server.grpcServer(f.access)
	if err != nil {
		return nil, err
	}
	listener, err := listenShared(f.access.GRPC)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := server.Serve(listener); err != nil {
			f.log.Error("the port for clients broke", "error", err)
		}
	}()
	return func(ctx context.Context) {
		hard := context.AfterFunc(ctx, server.Stop)
		server.GracefulStop()
		hard()
	}, nil
}

// listenShared opens a port that the worker of another release may have open too.
func listenShared(address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	listener, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(listener, maxConnections), nil
}

// quietLog drops what net/http says about strangers' handshakes and headers.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }
