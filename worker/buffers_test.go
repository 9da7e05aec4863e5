package worker

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

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

// Requests of many clients at once are answered with their own bytes, although all use the same
// memory again and again; with a worker that goes and comes back, so that messages are sent twice.
func TestAnswersFromReusedMemory(t *testing.T) {
	const elements, clients, each = 20_000, 8, 30
	onEach(t, []layout{{stages: 1, gateway: 1}, {stages: 2, gateway: 0}, {stages: 3, gateway: 3}}, func(t *testing.T, l layout) {
		l.elements, l.timeout = elements, 60
		c := newCluster(t, l).start()
		var group errgroup.Group
		for k := range clients {
			client := c.client(l.gateway)
			group.Go(func() error {
				for i := range each {
					if err := askFilled(client, l.stages, elements, byte(k*each+i)); err != nil {
						return err
					}
				}
				return nil
			})
		}
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

// askFilled sends a tensor of one number, and wants it back with that of the stages added to
// its first two elements.
func askFilled(client *Client, stages int, elements int64, number byte) error {
	in := request(elements, number)
	in[0].Data = bytes.Repeat([]byte{number}, int(elements))
	want := bytes.Clone(in[0].Data)
	want[0], want[1] = want[0]+byte(stages), want[1]+byte(stages)
	out, err := client.Infer(context.Background(), testModel, testRelease, in)
	if err != nil {
		return err
	}
	if !bytes.Equal(out[0].Data, want) || out[1].Data[0] != number {
		return fmt.Errorf("request %d: %s", number, cmp.Diff(want[:20], out[0].Data[:20]))
	}
	return nil
}
