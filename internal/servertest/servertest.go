// Package servertest starts servers that others wrote, for tests of what talks to
// them: an S3 service and a server of Terraform's HTTP backend protocol. Of clients
// that others wrote it knows where they are. `make servers` builds all of them into
// the per-user cache.
package servertest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Required makes a server that was not built fail a test, where it otherwise skips it.
const Required = "EDGEPLAN_REQUIRE_SERVERS"

// The servers, by the name of their program in the cache.
const (
	VersitygwVersion = "v1.8.0"
	GiteaVersion     = "v1.26.0"

	GrpcurlVersion = "v1.9.4"
	GRPCJSVersion  = "1.14.7"

	Versitygw  = "versitygw-" + VersitygwVersion
	Gitea      = "gitea-" + GiteaVersion
	GiteaFiles = Gitea + ".files" // what Gitea reads beside its program
	Grpcurl    = "grpcurl-" + GrpcurlVersion
	GRPCJS     = "grpc-js-" + GRPCJSVersion // a folder with node_modules
)

// Path is where a server's program is in the per-user cache.
func Path(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no user cache folder for the servers of tests: %w", err)
	}
	return filepath.Join(cache, "edgeplan", "servers", name), nil
}

// Program is the path of a server or client that was built.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := Path(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv(Required) != "" {
			t.Fatalf("%s is not in the cache (%v): run `make servers`", name, err)
		}
		t.Skipf("%s is not in the cache: run `make servers`", name)
	}
	return path
}

// start runs a server until the test ends, and waits until the address answers.
func start(t testing.TB, command *exec.Cmd, address string) {
	t.Helper()
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", command.Path, err, &output)
		default:
		}
		if response, err := http.Get(address); err == nil {
			_ = response.Body.Close()
			return
		}
	}
	t.Fatalf("%s does not answer at %s", command.Path, address)
}

func host(address string) string { h, _, _ := net.SplitHostPort(address); return h }
func port(address string) string { _, p, _ := net.SplitHostPort(address); return p }
