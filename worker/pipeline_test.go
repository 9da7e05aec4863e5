package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// checkAnswer compares with what the fake engines compute.
func checkAnswer(out []tensor.Tensor, stages int, number byte) error {
	switch {
	case len(out) != 2 || out[0].Name != fmt.Sprintf("t%d", stages) || out[1].Name != "skip":
		return fmt.Errorf("got the tensors %v", out)
	case out[0].Data[0] != number+byte(stages) || out[0].Data[1] != byte(stages):
		return fmt.Errorf("request %d: got %v", number, out[0].Data[:2])
	case out[1].Data[0] != number:
		return fmt.Errorf("request %d: %d passed through", number, out[1].Data[0])
	}
	return nil
}

// inferMany sends requests numbered from 0, all at once.
func inferMany(c *Client, stages int, elements int64, n int) error {
	var group errgroup.Group
	for i := range n {
		group.Go(func() error {
			out, err := c.Infer(context.Background(), testModel, testRelease, request(elements, byte(i)))
			if err != nil {
				return fmt.Errorf("request %d: %w", i, err)
			}
			return checkAnswer(out, stages, byte(i))
		})
	}
	return group.Wait()
}

func TestPipelineAnswersWhereverTheGatewayIs(t *testing.T) {
	for _, l := range []layout{
		{stages: 1, gateway: 0}, {stages: 1, gateway: 1}, {stages: 2, gateway: 1},
		{stages: 3, gateway: 0}, {stages: 3, gateway: 1}, {stages: 3, gateway: 2}, {stages: 3, gateway: 3},
	} {
		t.Run(fmt.Sprintf("%d stages, gateway at %d", l.stages, l.gateway), func(t *testing.T) {
			c := newCluster(t, layout{stages: l.stages, gateway: l.gateway}).start()
			if err := inferMany(c.client(c.gateway()), l.stages, 8, 40); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOrderIsKeptAlongTheLine(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3}).start()
	if err := inferMany(c.client(3), 3, 8, 100); err != nil {
		t.Fatal(err)
	}
	first := c.engines[0].order(0)
	if len(first) != 100 {
		t.Fatalf("%d requests reached the first stage", len(first))
	}
	for i := 1; i < 3; i++ {
		if !slices.Equal(first, c.engines[i].order(i)) {
			t.Errorf("stage %d saw another order:\n%v\n%v", i, first, c.engines[i].order(i))
		}
	}
}

// A last stage that stands still must hold back the first: what is under way is
// bounded by the queues and the window of a connection, whatever the clients send.
func TestBackpressureReachesTheGateway(t *testing.T) {
	const elements, requests = 256 << 10, 40
	c := newCluster(t, layout{stages: 3, gateway: 3, elements: elements, queue: 1})
	gate := make(chan struct{})
	c.engines[2].before = func(byte) error { <-gate; return nil }
	c.start()
	answers := make(chan error, 1)
	client := c.client(3)
	go func() { answers <- inferMany(client, 3, elements, requests) }()
	through := func() int { return len(c.engines[0].order(0)) }
	for begun := time.Now(); through() < 3 && time.Since(begun) < time.Minute; {
		time.Sleep(10 * time.Millisecond)
	}
	passed := settled(through)
	// Between two engines: in hand 1, out queue 1, in hand 1, the transport 1, the
	// window of 1 MiB 4, in hand 1, in queue 1. The last engine has one.
	if limit := 2*10 + 2; passed > limit {
		t.Errorf("%d requests went through the first stage while the last stood still, over %d", passed, limit)
	}
	if passed < 3 {
		t.Errorf("only %d requests went through the first stage", passed)
	}
	close(gate)
	if err := <-answers; err != nil {
		t.Fatal(err)
	}
}

// settled waits until a count has not changed for 300 ms.
func settled(count func() int) int {
	last, since := count(), time.Now()
	for time.Since(since) < 300*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
		if now := count(); now != last {
			last, since = now, time.Now()
		}
	}
	return last
}

func TestLateRequestsAreDroppedWithAReason(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2, timeout: 1})
	c.engines[0].before = func(first byte) error {
		if first == 0 {
			time.Sleep(time.Second) // as long as its time, which began before
		}
		return nil
	}
	c.start()
	client := c.client(2)
	var err error
	for try := 0; try < 10 && (err == nil || !strings.Contains(err.Error(), "dropped before")); try++ { // on a busy machine the reason may come too late
		_, err = client.Infer(context.Background(), testModel, testRelease, request(8, 0))
		if status.Code(err) != codes.DeadlineExceeded {
			t.Fatalf("got %v", err)
		}
	}
	if !strings.Contains(err.Error(), "dropped before") {
		t.Errorf("got %v", err)
	}
	if n := len(c.engines[1].order(1)); n != 0 {
		t.Errorf("the late request reached the second engine")
	}
	out, err := client.Infer(context.Background(), testModel, testRelease, request(8, 5))
	if err != nil {
		t.Fatalf("the pipeline did not go on: %v", err)
	}
	if err := checkAnswer(out, 2, 5); err != nil {
		t.Error(err)
	}
}

func TestSilentStageIsNamed(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 2, timeout: 0.2})
	gate := make(chan struct{})
	c.engines[1].before = func(byte) error { <-gate; return nil }
	c.start()
	defer close(gate)
	_, err := c.client(2).Infer(context.Background(), testModel, testRelease, request(8, 0))
	if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "the last stage, node.n1 at 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

func TestEngineErrorReachesItsClientAlone(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 0})
	c.engines[1].before = func(first byte) error {
		if first == 7+1 {
			return errors.New("out of rubber bands")
		}
		return nil
	}
	c.start()
	client := c.client(0)
	var wrong sync.Map
	var group errgroup.Group
	for i := range 20 {
		group.Go(func() error {
			out, err := client.Infer(context.Background(), testModel, testRelease, request(8, byte(i)))
			if err != nil {
				wrong.Store(i, err)
				return nil
			}
			return checkAnswer(out, 3, byte(i))
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	wrong.Range(func(i, err any) bool {
		if s := status.Convert(err.(error)); i != 7 || s.Code() != codes.Internal || s.Message() != "stage 1 on node.n1: out of rubber bands" {
			t.Errorf("request %v: %v", i, err)
		}
		return true
	})
	if _, ok := wrong.Load(7); !ok {
		t.Error("request 7 should have failed")
	}
}

func TestRestartedStageIsConnectedAgain(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3}).start()
	client := c.client(3)
	if err := inferMany(client, 3, 8, 5); err != nil {
		t.Fatal(err)
	}
	c.stopOne(1)
	c.startOne(1)
	back := time.Now()
	if err := inferMany(client, 3, 8, 5); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(back); took > 20*time.Second {
		t.Errorf("it took %v to connect again", took)
	}
}

func TestUnreachableStageIsNamedAtOnce(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3, timeout: 60, patience: time.Second, retry: onceOnly}).start()
	c.stopOne(2)
	begin := time.Now()
	_, err := c.client(3).Infer(context.Background(), testModel, testRelease, request(8, 0))
	s := status.Convert(err)
	if s.Code() != codes.Unavailable || !strings.HasPrefix(s.Message(), "node.n1 cannot reach node.n2 at 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v to tell", took)
	}
}

func TestStageAlone(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3}).start()
	in := request(8, 9)
	in[0].Name = "t1"
	out, err := c.client(1).Infer(context.Background(), testModel+"/stage/1", "", in)
	if err != nil {
		t.Fatal(err)
	}
	if out[0].Name != "t2" || out[0].Data[0] != 10 || out[1].Data[0] != 9 {
		t.Errorf("got %v", out)
	}
	if n := len(c.engines[2].order(2)); n != 0 {
		t.Error("the result went on to the next stage")
	}
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 0})
	started := make(chan struct{})
	c.engines[1].before = func(byte) error {
		close(started)
		time.Sleep(200 * time.Millisecond)
		return nil
	}
	c.start()
	client := c.client(0)
	answer := make(chan error, 1)
	go func() {
		_, err := client.Infer(context.Background(), testModel, testRelease, request(8, 0))
		answer <- err
	}()
	<-started
	c.stopOne(0)
	if err := <-answer; err != nil {
		t.Errorf("the request in flight was lost: %v", err)
	}
	if _, err := client.Infer(context.Background(), testModel, testRelease, request(8, 0)); err == nil {
		t.Error("a stopped worker took a request")
	}
}

// A request is told its own limit, not the gateway's.
func TestRequestsOwnTimeoutIsNamed(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0, timeout: 60})
	gate := make(chan struct{})
	c.engines[0].before = func(byte) error { <-gate; return nil }
	c.start()
	defer close(gate)
	r := &oippb.ModelInferRequest{ModelName: testModel, Parameters: map[string]*oippb.InferParameter{timeoutParameter: intParameter(30_000)}}
	oippb.SetInputs(r, request(8, 0))
	_, err := c.client(0).rpc.ModelInfer(context.Background(), r)
	if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "within the time of the request, 30ms: ") {
		t.Errorf("got %v", err)
	}
}
