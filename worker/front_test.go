package worker

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// A port that another program has is told of once, though it is tried again every second.
func TestTakenPortIsLoggedOnce(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var log bytes.Buffer
	f := &front{server: &server{}, access: Access{GRPC: taken.Addr().String()}, log: slog.New(slog.NewTextHandler(&log, nil))}
	f.server.gateway = &gateway{}
	f.server.manifest.Gateway = &Gateway{}
	ended, end := context.WithCancel(t.Context())
	end()
	for range 3 {
		f.serve(ended)
	}
	if n := strings.Count(log.String(), "clients are not served"); n != 1 || !strings.Contains(log.String(), "address already in use") {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}
