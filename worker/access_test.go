package worker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/porttest"
	"github.com/edgeplan/edgeplan/internal/promtest"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

const testToken = "open sesame"

// open gives the gateway of a cluster ports for clients on a host.
func (c *cluster) open(host string, change func(a *Access)) *Access {
	c.t.Helper()
	port := func() string { return strings.Replace(porttest.Address(c.t), "127.0.0.1", host, 1) }
	a := &Access{HTTP: port(), GRPC: port()}
	change(a)
	c.reshape(func(m *Manifest) {
		if m.Gateway != nil {
			m.Gateway.Access = a
		}
	})
	return a
}

// makeCurrent lets the release of worker i serve clients.
func (c *cluster) makeCurrent(i int) {
	c.t.Helper()
	link := filepath.Join(c.workers[i].dir, "..", "..", CurrentLink)
	os.Remove(link)
	if err := os.Symlink(c.workers[i].dir, link); err != nil {
		c.t.Fatal(err)
	}
}

func digestOf(token string) string {
	digest := sha256.Sum256([]byte(token))
	return hex.EncodeToString(digest[:])
}

// askREST sends an HTTP request until the port is open.
func askREST(t *testing.T, client *http.Client, r *http.Request) (int, string) {
	t.Helper()
	var err error
	for range 400 {
		var response *http.Response
		if r.GetBody != nil {
			r.Body, _ = r.GetBody()
		}
		if response, err = client.Do(r); err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, strings.TrimSpace(string(body))
	}
	t.Fatal(err)
	return 0, ""
}

const restRequest = `{"inputs": [{"name": "t0", "datatype": "UINT8", "shape": [8], "data": [5, 0, 0, 0, 0, 0, 0, 0]},
	{"name": "skip", "datatype": "INT64", "shape": [], "data": [5]}]}`

const restAnswer = `"outputs":[{"name":"t2","datatype":"UINT8","shape":[8],"data":[7,2,0,0,0,0,0,0]},{"name":"skip","datatype":"INT64","shape":[],"data":[5]}]`

func post(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", url, strings.NewReader(restRequest))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// On a loopback address any client may ask, over REST and gRPC; a stage alone is
// not to be had there.
func TestClientsOnLoopback(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 0})
	a := c.open("127.0.0.1", func(*Access) {})
	c.makeCurrent(0)
	c.start()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if code, answer := askREST(t, client, post(t, "http://"+a.HTTP+"/v2/models/toy/infer")); code != 200 || !strings.Contains(answer, restAnswer) {
		t.Errorf("%d %s", code, answer)
	}
	if code, answer := askREST(t, client, post(t, "http://"+a.HTTP+"/v2/models/toy%2Fstage%2F0/infer")); code != 404 {
		t.Errorf("a stage alone: %d %s", code, answer)
	}
	conn, err := grpc.NewClient("passthrough:///"+a.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &oippb.ModelInferRequest{ModelName: testModel}
	oippb.SetInputs(r, request(8, 5))
	response, err := oippb.NewGRPCInferenceServiceClient(conn).ModelInfer(context.Background(), r, grpc.WaitForReady(true))
	if err != nil || response.GetRawOutputContents()[0][0] != 7 {
		t.Errorf("%v %v", response, err)
	}
}

// Elsewhere there is TLS with the worker's key, and a token or a certificate.
func TestClientsFromElsewhere(t *testing.T) {
	authority, stranger := newKey(t), newKey(t)
	for _, test := range []struct {
		name        string
		change      func(a *Access)
		token       string
		certificate ed25519.PrivateKey
		code        int
	}{
		{"the token", func(a *Access) { a.TokenSHA256 = digestOf(testToken) }, testToken, nil, 200},
		{"another token", func(a *Access) { a.TokenSHA256 = digestOf(testToken) }, "sesame", nil, 401},
		{"no token", func(a *Access) { a.TokenSHA256 = digestOf(testToken) }, "", nil, 401},
		{"a certificate", func(a *Access) { a.Authorities = pemOf(t, authority) }, "", authority, 200},
		{"no certificate", func(a *Access) { a.Authorities = pemOf(t, authority) }, "", nil, 0},
		{"a stranger's certificate", func(a *Access) { a.Authorities = pemOf(t, authority) }, "", stranger, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, layout{stages: 2, gateway: 0})
			a := c.open("0.0.0.0", test.change)
			c.makeCurrent(0)
			c.start()
			path, err := KeyPath(c.workers[0].dir)
			if err != nil {
				t.Fatal(err)
			}
			key, err := EnsureKey(path)
			if err != nil {
				t.Fatal(err)
			}
			own := test.certificate
			if own == nil {
				own = newKey(t)
			}
			config, err := clientTLS(own, public(key))
			if err != nil {
				t.Fatal(err)
			}
			if test.certificate == nil {
				config.Certificates = nil
			}
			restCode, grpcErr := askBoth(t, a, config, test.token)
			if restCode != test.code {
				t.Errorf("REST: %d", restCode)
			}
			want := map[int]codes.Code{200: codes.OK, 401: codes.Unauthenticated, 0: codes.Unavailable}[test.code]
			if status.Code(grpcErr) != want {
				t.Errorf("gRPC: %v", grpcErr)
			}
		})
	}
}

// A client without the token keeps no connection: strangers would take the places
// of all others.
func TestStrangersAreHungUpOn(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0})
	a := c.open("0.0.0.0", func(a *Access) { a.TokenSHA256, a.GRPC = digestOf(testToken), "" })
	c.makeCurrent(0)
	c.start()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for begin := time.Now(); ; {
		response, err := client.Get("https://" + strings.Replace(a.HTTP, "0.0.0.0", "127.0.0.1", 1) + "/v2/health/live")
		if err != nil && time.Since(begin) < 20*time.Second {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized || !response.Close {
			t.Errorf("%s, connection closed: %v", response.Status, response.Close)
		}
		return
	}
}

// Requests that wait for a place leave those with one room on the connection that they share.
func TestWaitingRequestsHoldNoOtherUp(t *testing.T) {
	const elements, requests = 1 << 20, clientStreams
	c := newCluster(t, layout{stages: 1, gateway: 0, elements: elements, timeout: 60})
	a := c.open("0.0.0.0", func(a *Access) { a.TokenSHA256, a.GRPC = digestOf(testToken), "" })
	c.reshape(func(m *Manifest) { m.Gateway.Requests = 1 })
	c.makeCurrent(0)
	c.start()
	head := fmt.Sprintf(`{"inputs": [{"name": "t0", "datatype": "UINT8", "shape": [%d], "parameters": {"binary_data_size": %d}},
		{"name": "skip", "datatype": "INT64", "shape": [], "data": [5]}], "outputs": [{"name": "skip"}]}`, elements, elements)
	body := append([]byte(head), make([]byte, elements)...)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	ask := func() {
		r, err := http.NewRequest("POST", "https://"+strings.Replace(a.HTTP, "0.0.0.0", "127.0.0.1", 1)+"/v2/models/toy/infer", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+testToken)
		r.Header.Set("Inference-Header-Content-Length", fmt.Sprint(len(head)))
		if code, answer := askREST(t, client, r); code != http.StatusOK {
			t.Errorf("%d %s", code, answer)
		}
	}
	ask() // opens the connection
	var group sync.WaitGroup
	for range requests {
		group.Go(ask)
	}
	group.Wait()
}

// askBoth gives the status of a REST request, 0 where there is no connection, and
// the error of a gRPC one.
func askBoth(t *testing.T, a *Access, config *tls.Config, token string) (int, error) {
	t.Helper()
	local := func(address string) string { return strings.Replace(address, "0.0.0.0", "127.0.0.1", 1) }
	conn, err := grpc.NewClient("passthrough:///"+local(a.GRPC), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for portOpen := false; !portOpen; {
		probe, err := tls.Dial("tcp", local(a.HTTP), config)
		if portOpen = err == nil || !strings.Contains(err.Error(), "refused"); err == nil {
			probe.Close()
		}
	}
	r := &oippb.ModelInferRequest{ModelName: testModel}
	oippb.SetInputs(r, request(8, 5))
	_, grpcErr := oippb.NewGRPCInferenceServiceClient(conn).ModelInfer(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), r)
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	httpRequest := post(t, "https://"+local(a.HTTP)+"/v2/models/toy/infer")
	if token != "" {
		httpRequest.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: transport}).Do(httpRequest)
	if err != nil {
		return 0, grpcErr
	}
	response.Body.Close()
	return response.StatusCode, grpcErr
}

// pemOf is an authority that has a key.
func pemOf(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	authority, err := authorityOf(public(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}))
}

// The ports for clients follow `current` from one release to the next, and no
// request meets a closed port.
func TestClientPortsFollowCurrent(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0})
	a := c.open("127.0.0.1", func(a *Access) { a.GRPC = "" })
	c.makeCurrent(0)
	c.start()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	version := func() string {
		_, answer := askREST(t, client, mustGet(t, "http://"+a.HTTP+"/v2/models/toy"))
		return answer
	}
	if answer := version(); !strings.Contains(answer, testRelease) {
		t.Fatal(answer)
	}
	next := c.successor(0, "next")
	time.Sleep(3 * currentEvery)
	if answer := version(); !strings.Contains(answer, testRelease) {
		t.Errorf("a release that is not current serves clients: %s", answer)
	}
	c.makeCurrent(next)
	for begin := time.Now(); !strings.Contains(version(), "next"); {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("the new release does not serve clients")
		}
	}
	time.Sleep(3 * currentEvery)
	for range 20 {
		response, err := client.Get("http://" + a.HTTP + "/v2/health/live")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
}

func mustGet(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// successor starts another release beside that of worker i, on another port.
func (c *cluster) successor(i int, release string) int {
	c.t.Helper()
	dir := filepath.Join(filepath.Dir(c.workers[i].dir), release)
	peers, err := os.ReadFile(filepath.Join(c.workers[i].dir, PeersFile))
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, PeersFile), peers, 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	m := c.manifests[i]
	m.Release, m.Listen = release, porttest.Address(c.t)
	stage := *m.Stage
	m.Stage = &stage
	c.manifests = append(c.manifests, m)
	c.engines = append(c.engines, newFakeEngine(m.Stage))
	c.workers = append(c.workers, &testWorker{dir: dir})
	next := len(c.workers) - 1
	c.write(next, ManifestFile, m)
	c.startOne(next)
	return next
}

// What common clients write fits: every digit of a float64 for a float32, each
// element in brackets of its own.
func TestJSONLimit(t *testing.T) {
	const elements = 150528
	for _, test := range []struct {
		kind    tensor.Type
		element string
	}{
		{tensor.Float32, "-0.10000000149011612, "},
		{tensor.Float32, "[-1.1754943508222875e-38], "},
		{tensor.Float16, "-0.0999755859375, "},
		{tensor.Float64, "-2.2250738585072014e-308, "},
		{tensor.Int8, "-128, "},
		{tensor.Int64, "-9223372036854775808, "},
		{tensor.Bool, "false, "},
	} {
		limit := jsonLimit([]tensor.Info{{Name: "x", Type: test.kind, Shape: []int64{1, 3, 224, 224}}})
		if need := elements * int64(len(test.element)); limit < need {
			t.Errorf("%v: %d bytes are let in, and elements like %q take %d", test.kind, limit, test.element, need)
		}
	}
	if limit := jsonLimit([]tensor.Info{{Name: "x", Type: tensor.String, Shape: []int64{1}}}); limit < unknownBytes {
		t.Errorf("a tensor of unknown size may take %d bytes", limit)
	}
}

func TestAccessCheck(t *testing.T) {
	for _, test := range []struct {
		access Access
		want   string
	}{
		{Access{}, "nothing to listen to"},
		{Access{HTTP: "127.0.0.1"}, "missing port"},
		{Access{HTTP: "127.0.0.1:8000"}, ""},
		{Access{GRPC: "[::1]:8001"}, ""},
		{Access{GRPC: "localhost:8001"}, ""},
		{Access{HTTP: "0.0.0.0:8000"}, "0.0.0.0:8000 is no loopback address"},
		{Access{HTTP: ":8000"}, ":8000 is no loopback address"},
		{Access{HTTP: "0.0.0.0:8000", TokenSHA256: "abc"}, "no SHA-256 digest"},
		{Access{HTTP: "0.0.0.0:8000", Authorities: "abc"}, "no PEM certificate"},
		{Access{HTTP: "0.0.0.0:8000", TokenSHA256: digestOf("x")}, ""},
	} {
		err := test.access.check()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.access, err, test.want)
		}
	}
}

// Every worker has metrics for its operator, and Prometheus' own tool finds no
// fault in them.
func TestMetrics(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 0}).start()
	if err := inferMany(c.client(0), 2, 8, 5); err != nil {
		t.Fatal(err)
	}
	for i, wanted := range [][]string{
		{`edgeplan_gateway_requests_total{code="OK",model="toy",node="node.n0",release="0123456789ab",stage="0"} 5`, `edgeplan_stage_requests_total{model="toy",node="node.n0",release="0123456789ab",stage="0"} 5`, `edgeplan_transfer_bytes_total{model="toy",node="node.n0",peer="node.n1",release="0123456789ab",stage="0"} 80`},
		{`edgeplan_stage_compute_seconds_count{model="toy",node="node.n1",release="0123456789ab",stage="1"} 5`, `edgeplan_transfer_connected{model="toy",node="node.n1",peer="node.n0",release="0123456789ab",stage="1"} 1`},
	} {
		text, err := c.client(i).Metrics(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range wanted {
			if !bytes.Contains(text, []byte(line+"\n")) {
				t.Errorf("worker %d has no %s:\n%s", i, line, text)
			}
		}
		promtest.Check(t, text)
	}
}
