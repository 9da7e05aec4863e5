package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// reshape changes the manifests of a cluster before it starts.
func (c *cluster) reshape(change func(m *Manifest)) *cluster {
	c.t.Helper()
	for i := range c.manifests {
		change(&c.manifests[i])
		c.write(i, ManifestFile, c.manifests[i])
	}
	return c
}

// everywhere are the places of the gateway for pipelines of one and two stages.
var everywhere = []layout{{stages: 1, gateway: 0}, {stages: 1, gateway: 1}, {stages: 2, gateway: 0}, {stages: 2, gateway: 1}, {stages: 2, gateway: 2}}

func onEach(t *testing.T, layouts []layout, test func(t *testing.T, l layout)) {
	for _, l := range layouts {
		t.Run(fmt.Sprintf("%d stages, gateway at %d", l.stages, l.gateway), func(t *testing.T) { test(t, l) })
	}
}

// The model lists its inputs and outputs in another order than the cuts, and has
// a large input that nothing reads.
func TestModelOrderWhereverTheGatewayIs(t *testing.T) {
	onEach(t, everywhere, func(t *testing.T, l layout) {
		unused := tensor.Info{Name: "unused", Type: tensor.Uint8, Shape: []int64{2 << 20}}
		c := newCluster(t, l).reshape(func(m *Manifest) {
			if g := m.Gateway; g != nil {
				g.Inputs = []tensor.Info{g.Inputs[1], unused, g.Inputs[0]}
				g.Outputs = []tensor.Info{g.Outputs[1], g.Outputs[0]}
			}
		}).start()
		in := append(request(8, 3), tensor.Tensor{Info: unused, Data: make([]byte, 2<<20)})
		for range 2 { // a message that is too large would break the stream for the next one
			out, err := c.client(l.gateway).Infer(context.Background(), testModel, testRelease, in)
			if err != nil {
				t.Fatal(err)
			}
			if len(out) != 2 || out[0].Name != "skip" || out[0].Data[0] != 3 {
				t.Fatalf("got %v", out)
			}
			if err := checkAnswer([]tensor.Tensor{out[1], out[0]}, l.stages, 3); err != nil {
				t.Error(err)
			}
		}
	})
}

// shapedEngine gives results of a shape and a type of its own, as where they
// depend on the data, or where a model declares its outputs wrongly.
type shapedEngine struct {
	*fakeEngine
	typ   tensor.Type
	shape []int64
}

func (e shapedEngine) Run(_ []tensor.Tensor, outputs []string) ([]tensor.Tensor, error) {
	t := tensor.Tensor{Info: tensor.Info{Name: outputs[0], Type: e.typ, Shape: e.shape}}
	size, err := t.Bytes()
	t.Data = make([]byte, size)
	return []tensor.Tensor{t}, err
}

func TestShapesThatTheEngineMakesPass(t *testing.T) {
	for _, test := range []struct {
		name           string
		declared, made []int64
	}{
		{"rank is unknown", []int64{tensor.Unknown}, []int64{2, 3}},
		{"declared wrongly", []int64{tensor.Unknown, 5}, []int64{}},
		{"larger than declared", []int64{8}, []int64{300, 1 << 10}},
	} {
		onEach(t, []layout{{stages: 1, gateway: 0}, {stages: 2, gateway: 2}}, func(t *testing.T, l layout) {
			c := newCluster(t, l).reshape(func(m *Manifest) { declareResults(m, test.declared) })
			for i := range l.stages {
				c.wrap(i, shapedEngine{c.engines[i], tensor.Uint8, test.made})
			}
			out, err := c.start().client(l.gateway).Infer(context.Background(), testModel, testRelease, request(8, 3))
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			if !cmp.Equal(append([]int64{}, out[0].Shape...), test.made) || out[0].Check() != nil {
				t.Errorf("%s: got %v", test.name, out[0].Info)
			}
		})
	}
}

// declareResults sets the shape of what engines make.
func declareResults(m *Manifest, shape []int64) {
	if st := m.Stage; st != nil {
		st.Outputs[0].Shape = shape
		if st.Index > 0 {
			st.Inputs[0].Shape = shape
		}
	}
	if g := m.Gateway; g != nil {
		g.Outputs[0].Shape = shape
	}
}

func TestTypesThatTheEngineMakesAreChecked(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0})
	c.wrap(0, shapedEngine{c.engines[0], tensor.Int16, []int64{8}})
	_, err := c.start().client(0).Infer(context.Background(), testModel, testRelease, request(8, 3))
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), `"t1" has elements of int16, but they must be uint8`) {
		t.Errorf("got %v", err)
	}
}

// An input of unknown rank takes any shape; the engine knows better.
func TestInputOfUnknownRank(t *testing.T) {
	c := newCluster(t, layout{stages: 1, gateway: 0}).reshape(func(m *Manifest) {
		m.Gateway.Inputs[0].Shape = []int64{tensor.Unknown}
		m.Stage.Inputs[0].Shape = []int64{tensor.Unknown}
	})
	in := request(8, 3)
	in[0].Shape = []int64{2, 4}
	c.wrap(0, shapedEngine{c.engines[0], tensor.Uint8, []int64{8}})
	if _, err := c.start().client(0).Infer(context.Background(), testModel, testRelease, in); err != nil {
		t.Error(err)
	}
}
