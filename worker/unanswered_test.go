package worker

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// cable is a TCP relay in front of a stage that a test can cut or make silent.
type cable struct {
	address string
	silent  chan struct{} // closed: nothing passes any more
	mu      sync.Mutex
	conns   []net.Conn
}

// plug puts a cable before stage i.
func (c *cluster) plug(i int) *cable {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	b := &cable{address: l.Addr().String(), silent: make(chan struct{})}
	target := c.manifests[i].Listen
	var group sync.WaitGroup
	group.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			b.mu.Lock()
			b.conns = append(b.conns, in, out)
			b.mu.Unlock()
			group.Go(func() { b.relay(out, in) })
			group.Go(func() { b.relay(in, out) })
		}
	})
	c.t.Cleanup(func() { l.Close(); b.cut(); group.Wait() })
	c.reshape(func(m *Manifest) {
		if st := m.Stage; st != nil && st.Index == i-1 {
			st.Next.Address = b.address
		}
	})
	return b
}

func (b *cable) relay(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-b.silent: // the system still acknowledges what it gets
			io.Copy(io.Discard, from)
			return
		default:
		}
		if err != nil {
			return
		}
		to.Write(buffer[:n])
	}
}

// cut ends all connections.
func (b *cable) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.conns {
		conn.Close()
	}
	b.conns = nil
}

// A stage that is lost with requests in its hands is named at once, and requests
// that it has handed on get their results.
func TestLostStageIsNamed(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3, timeout: 30, retry: onceOnly})
	inEngine := []chan byte{nil, make(chan byte, 9), make(chan byte, 9)}
	gate := make(chan struct{})
	for i, held := range []byte{0, 6, 4} { // as the engines see them
		if i > 0 {
			c.engines[i].before = func(first byte) error {
				inEngine[i] <- first
				if first == held {
					<-gate
				}
				return nil
			}
		}
	}
	cable := c.plug(1)
	c.start()
	client := c.client(3)
	infer := func(number byte) <-chan error {
		answer := make(chan error, 1)
		go func() {
			out, err := client.Infer(context.Background(), testModel, testRelease, request(8, number))
			if err == nil {
				err = checkAnswer(out, 3, number)
			}
			answer <- err
		}()
		return answer
	}
	passed := infer(2) // 4 at the last engine
	<-inEngine[2]
	lost := infer(5) // 6 at the middle engine
	for <-inEngine[1] != 6 {
	}
	time.Sleep(2 * progressEvery)
	begin := time.Now()
	cable.cut()
	err := <-lost
	s := status.Convert(err)
	if s.Code() != codes.Unavailable || !strings.HasPrefix(s.Message(), "stage 1 on node.n1 does not answer: node.n0 lost the connection to "+cable.address) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second { // the keepalive takes longer
		t.Errorf("it took %v to tell", took)
	}
	close(gate)
	if err := <-passed; err != nil {
		t.Errorf("a request that had passed the lost stage: %v", err)
	}
	if err := <-infer(7); err != nil {
		t.Errorf("after the connection came back: %v", err)
	}
}

// A stage that stands still without hanging up is found out by its keepalive.
func TestStageThatFallsSilentIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the keepalive, 15 s")
	}
	c := newCluster(t, layout{stages: 3, gateway: 3, timeout: 60, retry: onceOnly})
	cable := c.plug(1)
	c.start()
	client := c.client(3)
	if err := inferMany(client, 3, 8, 3); err != nil {
		t.Fatal(err)
	}
	close(cable.silent)
	begin := time.Now()
	var group errgroup.Group
	for i := range 40 { // more than the queues hold
		group.Go(func() error {
			_, err := client.Infer(context.Background(), testModel, testRelease, request(8, byte(i)))
			s := status.Convert(err)
			if s.Code() != codes.Unavailable || !strings.Contains(s.Message(), "node.n1") {
				return fmt.Errorf("request %d: %w", i, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > pingEvery+pingTimeout+20*time.Second {
		t.Errorf("it took %v to tell", took)
	}
	cable.cut()
}

// A stage that stops in order finishes what it has taken, and nobody answers for it.
func TestStoppingStageFinishesItsRequests(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 3})
	started := make(chan struct{})
	c.engines[1].before = func(byte) error {
		close(started)
		time.Sleep(500 * time.Millisecond)
		return nil
	}
	c.start()
	client := c.client(3)
	answer := make(chan error, 1)
	go func() {
		_, err := client.Infer(context.Background(), testModel, testRelease, request(8, 0))
		answer <- err
	}()
	<-started
	c.stopOne(1)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

func TestUnanswered(t *testing.T) {
	sent := func(ids ...string) *unanswered {
		u := &unanswered{}
		for _, id := range ids {
			u.begin(id)
			u.end(true)
		}
		return u
	}
	for _, test := range []struct {
		name string
		u    *unanswered
		what func(u *unanswered)
		want []string
	}{
		{"nothing came back", sent("a", "b"), func(*unanswered) {}, []string{"a", "b"}},
		{"one was handed on, so all before it were", sent("a", "b", "c"), func(u *unanswered) { u.passed("b") }, []string{"c"}},
		{"of another stream", sent("a"), func(u *unanswered) { u.passed("z") }, []string{"a"}},
		{"one failed", sent("a", "b"), func(u *unanswered) { u.failed("b") }, []string{"a"}},
		{"one could not be sent", sent("a"), func(u *unanswered) { u.begin("b"); u.end(false) }, []string{"a"}},
		{"one is being sent", sent("a"), func(u *unanswered) { u.begin("b") }, []string{"a"}},
		{"handed on before sending ended", sent(), func(u *unanswered) { u.begin("b"); u.passed("b") }, []string{}},
		{"lost while sending", sent("a"), func(u *unanswered) { u.begin("b"); u.lost(); u.end(false) }, []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.what(test.u)
			if got := test.u.lost(); !cmp.Equal(append([]string{}, got...), test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
