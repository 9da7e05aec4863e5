package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/mem"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

// What a stage holds: of what comes from another node as much as its queue, what waits for a place there
// and what is in the engine; of what goes to one, two in the connection's hands beside the one that
// waits. Short tensors and those that change their form are in other memory.
func TestBuffersOfAManifest(t *testing.T) {
	here, there := Peer{Node: "node.here"}, Peer{Node: "node.there"}
	of := func(bytes int64) []tensor.Info {
		return []tensor.Info{{Name: fmt.Sprint("t", bytes), Type: tensor.Uint8, Shape: []int64{bytes}}}
	}
	skip := tensor.Info{Name: "skip", Type: tensor.Uint8, Shape: []int64{4096}}
	for _, c := range []struct {
		name           string
		previous, next Peer
		inputs         []tensor.Info
		outputs        []tensor.Info
		form           transfer.Form
		want           int64
	}{
		{"between two others", there, there, of(10_000), of(30_000), "", 4*10_000 + 5*30_000},
		{"with what passes through", there, there, append(of(10_000), skip), append(of(30_000), skip), "", 4*14_096 + 5*34_096},
		{"behind the gateway's own node", here, there, of(10_000), of(30_000), "", 5 * 30_000},
		{"before it", there, here, of(10_000), of(30_000), "", 4 * 10_000},
		{"short", there, there, of(100), of(30_000), "", 5 * 30_000},
		{"of no known length", there, there, of(tensor.Unknown), of(30_000), "", 5 * 30_000},
		{"as it is", there, there, of(10_000), of(30_000), transfer.None, 4*10_000 + 5*30_000},
		{"halved on the way", there, there, of(10_000), of(30_000), transfer.FP16, 0},
	} {
		m := Manifest{Node: here.Node, Queue: 2, Transfer: c.form, Stage: &Stage{Previous: c.previous, Next: c.next, Inputs: c.inputs, Outputs: c.outputs}}
		b := newBuffers(m)
		if got := b.bytes(); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
		if garbage := float64(b.gcPercent()) / 100 * float64(leastGarbage+c.want); garbage > leastGarbage || garbage < 0.9*leastGarbage {
			t.Errorf("%s: %g bytes of garbage, want nearly %d", c.name, garbage, leastGarbage)
		}
	}
	if got := newBuffers(Manifest{Gateway: &Gateway{}}).bytes(); got != 0 {
		t.Errorf("a gateway without a stage holds %d bytes", got)
	}
}

// Memory is given out once until it comes back, and no more is kept than full queues need.
func TestBuffersGiveAndTake(t *testing.T) {
	b := &buffers{free: map[int][][]byte{}, most: map[int]int{}}
	b.reserve([]tensor.Info{{Type: tensor.Uint8, Shape: []int64{2000}}}, 2)
	seen := map[*byte]bool{}
	var taken [][]byte
	for range 3 { // one more than there are
		data := b.take(2000)
		if len(data) != 2000 || seen[&data[0]] {
			t.Fatalf("%d bytes, given out before: %v", len(data), seen[&data[0]])
		}
		seen[&data[0]] = true
		taken = append(taken, data)
	}
	for _, data := range append(taken, make([]byte, 3000)) {
		b.give(data)
	}
	if len(b.free[2000]) != 2 || len(b.free[3000]) != 0 {
		t.Errorf("%d and %d are kept, want 2 and none", len(b.free[2000]), len(b.free[3000]))
	}
	if data := b.take(2000); !seen[&data[0]] {
		t.Error("what came back is not used again")
	}
}

// stampEngine fills outputs of its own with what its first input is full of.
type stampEngine struct {
	inputs []tensor.Info
	take   func(n int) []byte
	fails  bool // once it has its outputs
}

func (e *stampEngine) Inputs() []tensor.Info            { return e.inputs }
func (e *stampEngine) Close() error                     { return nil }
func (e *stampEngine) Allocate(take func(n int) []byte) { e.take = take }

func (e *stampEngine) Run(inputs []tensor.Tensor, outputs []string) (out []tensor.Tensor, err error) {
	for _, name := range outputs {
		out = append(out, stamped(tensor.Info{Name: name, Type: tensor.Uint8, Shape: []int64{2000}}, e.take(2000), inputs[0].Data[0]))
	}
	if e.fails {
		err = errors.New("it fails")
	}
	return out, err
}

func stamped(info tensor.Info, data []byte, number byte) tensor.Tensor {
	copy(data, bytes.Repeat([]byte{number}, len(data)))
	return tensor.Tensor{Info: info, Data: data}
}

// Whatever passes through a stage, and wherever its tensors come from, no request has memory that another
// one has, or that a client may send again.
func TestMemoryIsOfOneRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := drawStage(t)
		b := &buffers{free: map[int][][]byte{}, most: map[int]int{2000: 100}}
		e := &stampEngine{inputs: st.Inputs, take: b.take}
		slicer, err := newSlicer(e, st)
		if err != nil {
			t.Fatal(err)
		}
		m := Manifest{Queue: 1, Stage: &st}
		s := newStage(m, slicer, b, "the stage", slog.New(slog.DiscardHandler), newMetrics(m))
		var clients, waiting []heldRequest
		for number := range byte(20) {
			m := &message{}
			if rapid.Bool().Draw(t, "from another node") {
				m.memory = b
			}
			for _, info := range st.Inputs {
				m.tensors = append(m.tensors, stamped(info, m.memory.take(2000), number))
			}
			if m.memory == nil {
				clients = append(clients, heldRequest{number, m.tensors, nil})
			}
			e.fails = rapid.IntRange(0, 9).Draw(t, "fails") == 0
			s.infer(m)
			waiting = append(waiting, heldRequest{number, m.tensors, m.lend()})
			if len(waiting) > rapid.IntRange(0, 3).Draw(t, "queue") {
				waiting[0].check(t)
				waiting[0].lent.Free()
				waiting = waiting[1:]
			}
		}
		for _, h := range append(waiting, clients...) {
			h.check(t)
		}
	})
}

// heldRequest is one whose tensors are full of its number.
type heldRequest struct {
	number  byte
	tensors []tensor.Tensor
	lent    mem.BufferSlice
}

func (h heldRequest) check(t *rapid.T) {
	for _, x := range h.tensors {
		if !bytes.Equal(x.Data, bytes.Repeat([]byte{h.number}, 2000)) {
			t.Fatalf("%q of request %d has %v...", x.Name, h.number, x.Data[:8])
		}
	}
}

func drawStage(t *rapid.T) (st Stage) {
	info := func(kind string, i int) tensor.Info {
		return tensor.Info{Name: fmt.Sprint(kind, i), Type: tensor.Uint8, Shape: []int64{2000}}
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "inputs") {
		st.Inputs = append(st.Inputs, info("in", i))
		if rapid.Bool().Draw(t, "passes") {
			st.Outputs = append(st.Outputs, st.Inputs[i])
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "computed") {
		st.Outputs = append(st.Outputs, info("out", i))
	}
	return st
}

// Requests of many clients at once are answered with their own bytes, although all use the same
// memory again and again; with a worker that goes and comes back, so that messages are sent twice.
func TestAnswersFromReusedMemory(t *testing.T) {
	onEach(t, []layout{{stages: 1, gateway: 1}, {stages: 2, gateway: 0}, {stages: 3, gateway: 3}}, func(t *testing.T, l layout) {
		l.elements, l.timeout = 20_000, 60
		c := newCluster(t, l).start()
		group := c.askFilled(8, 30)
		last := l.stages - 1
		if last != l.gateway {
			c.stopOne(last)
			c.startOne(last)
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// So they are where connections break while tensors are on them, and these are sent again while their
// memory waits to come back; with a tensor that passes through, and is as long as the others.
func TestAnswersOverBrokenConnections(t *testing.T) {
	const elements, cuts = 100_000, 20
	onEach(t, []layout{{stages: 3, gateway: 0}, {stages: 3, gateway: 3}}, func(t *testing.T, l layout) {
		l.elements, l.timeout = elements, 60
		c := newCluster(t, l).reshape(func(m *Manifest) {
			for _, list := range m.lists() {
				list[1].Shape = []int64{elements / 8}
			}
		})
		cables := []*cable{c.plug(1), c.plug(2)}
		group := c.start().askFilled(12, 6)
		for i := range cuts {
			time.Sleep(20 * time.Millisecond)
			cables[i%2].cut()
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// lists are those of tensors.
func (m *Manifest) lists() (lists [][]tensor.Info) {
	if st := m.Stage; st != nil {
		lists = append(lists, st.Inputs, st.Outputs)
	}
	if g := m.Gateway; g != nil {
		lists = append(lists, g.Inputs, g.Outputs)
	}
	return lists
}

// askFilled has some clients ask one request after the other. The tensors of each are full of one number, and
// come back with that of the stages added to the first two elements of what is computed.
func (c *cluster) askFilled(clients, each int) *errgroup.Group {
	var group errgroup.Group
	for k := range clients {
		client := c.client(c.gateway())
		group.Go(func() error {
			for i := range each {
				if err := c.ask(client, byte(k*each+i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return &group
}

func (c *cluster) ask(client *Client, number byte) error {
	var in []tensor.Tensor
	for _, info := range c.manifests[c.gateway()].Gateway.Inputs {
		t, err := info.Zeros()
		if err != nil {
			return err
		}
		in = append(in, tensor.Tensor{Info: info, Data: bytes.Repeat([]byte{number}, len(t.Data))})
	}
	want := [][]byte{bytes.Clone(in[0].Data), in[1].Data}
	for i := range want[0][:2] {
		want[0][i] += byte(c.manifests[0].Stage.Count)
	}
	out, err := client.Infer(context.Background(), testModel, testRelease, in)
	if err != nil {
		return err
	}
	for i, t := range out {
		if !bytes.Equal(t.Data, want[i]) {
			return fmt.Errorf("request %d: %q has %v..., want %v...", number, t.Name, t.Data[:8], want[i][:8])
		}
	}
	return nil
}
