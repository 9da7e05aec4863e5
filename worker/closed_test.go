package worker

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	key, err := EnsureKey(filepath.Join(t.TempDir(), KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// Both ends of a connection must have the key that the other one has pinned.
func TestHandshake(t *testing.T) {
	own, other, stranger := newKey(t), newKey(t), newKey(t)
	for _, test := range []struct {
		name               string
		client, server     ed25519.PrivateKey
		wanted             ed25519.PublicKey   // by the client
		letIn              []ed25519.PublicKey // by the server
		clientOK, serverOK bool
	}{
		{"neighbours", own, other, public(other), []ed25519.PublicKey{public(own)}, true, true},
		{"one of several neighbours", own, other, public(other), []ed25519.PublicKey{public(stranger), public(own)}, true, true},
		{"a stranger serves", own, stranger, public(other), []ed25519.PublicKey{public(own)}, false, false},
		{"a stranger calls", stranger, other, public(other), []ed25519.PublicKey{public(own)}, true, false},
		{"nobody is let in", own, other, public(other), nil, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := clientTLS(test.client, test.wanted)
			if err != nil {
				t.Fatal(err)
			}
			server, err := serverTLS(test.server, test.letIn)
			if err != nil {
				t.Fatal(err)
			}
			clientErr, serverErr := handshake(t, client, server)
			if (clientErr == nil) != test.clientOK || (serverErr == nil) != test.serverOK {
				t.Errorf("client: %v; server: %v", clientErr, serverErr)
			}
		})
	}
}

// A neighbour that signs a certificate for somebody else's key lets nobody in.
func TestKeyThatANeighbourVouchesForIsRefused(t *testing.T) {
	own, neighbour, friend := newKey(t), newKey(t), newKey(t)
	server, err := serverTLS(own, []ed25519.PublicKey{public(neighbour)})
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientTLS(neighbour, public(own))
	if err != nil {
		t.Fatal(err)
	}
	client.Certificates = []tls.Certificate{vouched(t, neighbour, friend)}
	if _, err := handshake(t, client, server); err == nil || !strings.Contains(err.Error(), "not for the key that signed it") {
		t.Errorf("the server says %v", err)
	}
}

// connected is both ends of a TCP connection.
func connected(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, b
}

func handshake(t *testing.T, client, server *tls.Config) (clientErr, serverErr error) {
	t.Helper()
	a, b := connected(t)
	deadline := time.Now().Add(20 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	ended := make(chan error, 1)
	go func() {
		defer b.Close()
		ended <- tls.Server(b, server).Handshake()
	}()
	conn := tls.Client(a, client)
	clientErr = conn.Handshake()
	if clientErr != nil {
		a.Close()
	} else {
		conn.Read(make([]byte, 1)) // takes the server's alert, if any
	}
	return clientErr, <-ended
}

// stranger calls a stage with a key and says what comes of it.
func callStage(t *testing.T, m Manifest, key ed25519.PrivateKey, server ed25519.PublicKey, r *oippb.ModelInferRequest) (*oippb.ModelStreamInferResponse, error) {
	t.Helper()
	config, err := clientTLS(key, server)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialNeighbour(Peer{Address: m.Listen}, config, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := oippb.NewGRPCInferenceServiceClient(conn).ModelStreamInfer(ctx, grpc.WaitForReady(false))
	if err != nil {
		return nil, err
	}
	stream.Send(r)
	return stream.Recv()
}

func TestOnlyTheNeighbourBeforeMaySend(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3}).start()
	key := func(i int) ed25519.PrivateKey {
		path, err := KeyPath(c.workers[i].dir)
		if err != nil {
			t.Fatal(err)
		}
		k, err := EnsureKey(path)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	good := &message{id: "x", tensors: request(8, 0)}
	call := func(caller, stage int, component, release string) (*oippb.ModelStreamInferResponse, error) {
		return callStage(t, c.manifests[stage], key(caller), public(key(stage)), good.request(component, release, "", time.Now()))
	}
	// Stage 2 is a neighbour of node 3, as it sends results there; it may not
	// send to stage 1, nor may node 3.
	for _, caller := range []int{2, 3} {
		if _, err := call(caller, 1, "toy/stage/1", testRelease); status.Code(err) != codes.Unavailable {
			t.Errorf("node %d calls stage 1: %v", caller, err)
		}
	}
	if _, err := callStage(t, c.manifests[1], newKey(t), public(key(1)), good.request("toy/stage/1", testRelease, "", time.Now())); status.Code(err) != codes.Unavailable {
		t.Errorf("a stranger calls stage 1: %v", err)
	}
	for _, test := range []struct{ component, release, want string }{
		{"toy/stage/1", "another", `node.n1 runs release 0123456789ab, not "another"`},
		{"toy/stage/1", "", `node.n1 runs release 0123456789ab, not ""`},
		{"toy/stage/2", testRelease, `node.n1 has no "toy/stage/2" for this sender`},
		{"toy/result", testRelease, `node.n1 has no "toy/result" for this sender`},
		{"toy", testRelease, `node.n1 has no "toy" for this sender`},
	} {
		answer, err := call(0, 1, test.component, test.release)
		if err != nil || answer.GetErrorMessage() != test.want {
			t.Errorf("%s of release %q: %v, %v", test.component, test.release, answer, err)
		}
	}
	for i := range c.engines[:3] {
		if n := len(c.engines[i].order(i)); n != 0 {
			t.Errorf("%d requests reached the engine of stage %d", n, i)
		}
	}
}

// A worker whose key was made anew is not let in, and the gateway's client hears who.
func TestRotatedKeyIsRefused(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2, patience: 500 * time.Millisecond, retry: onceOnly})
	peers, err := ReadPeers(c.workers[1].dir)
	if err != nil {
		t.Fatal(err)
	}
	peers["node.n0"] = PublicKey(newKey(t))
	c.write(1, PeersFile, peers)
	c.start()
	_, err = c.client(2).Infer(context.Background(), testModel, testRelease, request(8, 0))
	s := status.Convert(err)
	if s.Code() != codes.Unavailable || !strings.HasPrefix(s.Message(), "node.n0 cannot reach node.n1") {
		t.Errorf("got %v", err)
	}
}

func TestOtherReleaseIsRefused(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2, patience: 500 * time.Millisecond, retry: onceOnly})
	c.manifests[1].Release = "another"
	c.write(1, ManifestFile, c.manifests[1])
	c.start()
	_, err := c.client(2).Infer(context.Background(), testModel, testRelease, request(8, 0))
	if err == nil || !strings.Contains(err.Error(), "it runs release another, not 0123456789ab") {
		t.Errorf("got %v", err)
	}
}

func TestWhatClientsGetWrong(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2}).start()
	gateway, first := c.client(2), c.client(0)
	in := func(change func(t []tensor.Tensor) []tensor.Tensor) []tensor.Tensor { return change(request(8, 1)) }
	for _, test := range []struct {
		name, model, release string
		inputs               []tensor.Tensor
		code                 codes.Code
		want                 string
	}{
		{"no such model", "cat", "", request(8, 1), codes.NotFound, `no model "cat" on this worker, which has ["toy"]`},
		{"a stage of another device", "toy/stage/0", "", request(8, 1), codes.NotFound, `no model "toy/stage/0"`},
		{"another release", "toy", "r2", request(8, 1), codes.FailedPrecondition, `runs release 0123456789ab of "toy", not r2`},
		{"a tensor is missing", "toy", "", request(8, 1)[:1], codes.InvalidArgument, `"skip" is missing: wanted t0 uint8[8], skip int64[]`},
		{"a tensor too many", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor {
			return append(t, tensor.Tensor{Info: tensor.Info{Name: "x", Type: tensor.Bool}, Data: []byte{1}})
		}), codes.InvalidArgument, `there is no tensor "x"`},
		{"twice the same", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor { return append(t, t[0]) }), codes.InvalidArgument, `"t0" is there twice`},
		{"another type", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor { t[0].Type = tensor.Int8; return t }), codes.InvalidArgument, `"t0" is int8[8], but must be uint8[8]`},
		{"another shape", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor { t[0].Shape = []int64{2, 4}; return t }), codes.InvalidArgument, `"t0" is uint8[2 4], but must be uint8[8]`},
		{"cut off", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor { t[0].Data = t[0].Data[:7]; return t }), codes.InvalidArgument, `8 bytes`},
		{"a negative dimension", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor { t[0].Shape = []int64{-1}; return t }), codes.InvalidArgument, `unknown dimension`},
		{"far too large", "toy", "", in(func(t []tensor.Tensor) []tensor.Tensor { t[0].Data = make([]byte, 1<<20); return t }), codes.ResourceExhausted, `larger than max`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := gateway.Infer(context.Background(), test.model, test.release, test.inputs)
			if s := status.Convert(err); s.Code() != test.code || !strings.Contains(s.Message(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := first.Infer(context.Background(), "toy", "", request(8, 1)); status.Code(err) != codes.NotFound {
		t.Errorf("a worker that is not the gateway: %v", err)
	}
	if err := inferMany(gateway, 2, 8, 3); err != nil {
		t.Errorf("the pipeline did not go on: %v", err)
	}
}

func TestWhatClientsAsk(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2}).start()
	client := c.client(2)
	ctx := context.Background()
	if ready, err := client.ModelReady(ctx, testModel, testRelease); err != nil || (!ready && inferMany(client, 2, 8, 1) != nil) {
		t.Errorf("ready: %v, %v", ready, err)
	}
	about, err := client.Metadata(ctx, testModel, "")
	if err != nil || describe(about.Inputs) != "t0 uint8[8], skip int64[]" || describe(about.Outputs) != "t2 uint8[8], skip int64[]" || about.Releases[0] != testRelease {
		t.Errorf("metadata: %v, %v", about, err)
	}
	live, err := client.rpc.ServerLive(ctx, &oippb.ServerLiveRequest{})
	if err != nil || !live.GetLive() {
		t.Errorf("live: %v, %v", live, err)
	}
	c.stopOne(1)
	for range 2000 {
		if ready, err := client.ModelReady(ctx, testModel, testRelease); err == nil && !ready {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the model is ready without its last stage")
}

// Typed contents, and only some of the outputs, as other clients send them.
func TestTypedContentsAndChosenOutputs(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0}).start()
	r := &oippb.ModelInferRequest{
		ModelName: testModel, Id: "mine",
		Inputs: []*oippb.ModelInferRequest_InferInputTensor{
			{Name: "skip", Datatype: "INT64", Contents: &oippb.InferTensorContents{Int64Contents: []int64{-2}}},
			{Name: "t0", Datatype: "UINT8", Shape: []int64{8}, Contents: &oippb.InferTensorContents{UintContents: []uint32{1, 2, 3, 4, 5, 6, 7, 8}}},
		},
		Outputs: []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "skip"}},
	}
	client := c.client(0)
	response, err := client.rpc.ModelInfer(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := oippb.Outputs(response)
	if err != nil || response.GetId() != "mine" || len(out) != 1 || out[0].Name != "skip" || out[0].Data[0] != 0xfe {
		t.Errorf("got %v, %v", response, err)
	}
	r.Outputs[0].Name = "t7"
	if _, err := client.rpc.ModelInfer(context.Background(), r); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an output that is not there: %v", err)
	}
}
