package worker

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

var forms = []transfer.Form{"", transfer.None, transfer.Zstd, transfer.FP16, transfer.Int8}

// Whatever the form, a pipeline of integers gives the same answers, and with zstd fewer
// bytes travel.
func TestTransferForms(t *testing.T) {
	sent := map[transfer.Form]float64{}
	for _, form := range forms {
		c := newCluster(t, layout{stages: 3, gateway: 0, elements: 5000}).reshape(func(m *Manifest) { m.Transfer = form }).start()
		client := c.client(0)
		for i := range byte(5) {
			out, err := client.Infer(t.Context(), testModel, testRelease, request(5000, i))
			if err == nil {
				err = checkAnswer(out, 3, i)
			}
			if err != nil {
				t.Errorf("%q: %v", form, err)
			}
		}
		text, err := ReadMetrics(c.workers[1].dir)
		if err != nil {
			t.Fatal(err)
		}
		sent[form] = metric(t, text, "edgeplan_transfer_bytes_total")
		for i := range c.workers {
			c.stopOne(i)
		}
	}
	if plain := sent[""]; plain != 5*5008 || sent[transfer.None] != plain || sent[transfer.FP16] != plain || sent[transfer.Int8] != plain || sent[transfer.Zstd] > plain/10 {
		t.Errorf("bytes sent: %v", sent)
	}
}

// metric adds up a counter over its labels.
func metric(t testing.TB, text []byte, name string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}

// A message is the same at the other end, but for what the form rounds.
func TestMessageForms(t *testing.T) {
	info := tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{3, 100}}
	x, err := tensor.Random(info, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range forms {
		r := throughCodec(t, (&message{id: "1", tensors: []tensor.Tensor{x}}).request("toy/stage/1", "r", form, time.Now()))
		m := parseMessage(r, []tensor.Info{info}, time.Now())
		if m.err != nil {
			t.Errorf("%q: %v", form, m.err)
			continue
		}
		d, err := tensor.Compare(x, m.tensors[0])
		if err != nil || math.IsInf(d.MaxAbs, 0) || d.MaxAbs > form.Tolerance()*d.LargestValue || form.Tolerance() > 0 && d.MaxAbs == 0 {
			t.Errorf("%q: %+v, %v", form, d, err)
		}
	}
	r := (&message{id: "1", tensors: []tensor.Tensor{x}}).request("toy/stage/1", "r", transfer.Zstd, time.Now())
	r.RawInputContents[0] = r.RawInputContents[0][:50]
	if m := parseMessage(r, []tensor.Info{info}, time.Now()); m.err == nil || !strings.Contains(m.err.Error(), `input "x": it came as zstd`) {
		t.Errorf("a damaged tensor: %v", m.err)
	}
}

func throughCodec(t testing.TB, r *oippb.ModelInferRequest) *oippb.ModelInferRequest {
	t.Helper()
	wire, err := oippb.NewCodec().Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	out := new(oippb.ModelInferRequest)
	if err := oippb.NewCodec().Unmarshal(wire, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever a neighbour sends, there is a message: its tensors as wanted and whole, or its
// error.
func FuzzMessage(f *testing.F) {
	wanted := []tensor.Info{{Name: "x", Type: tensor.Float32, Shape: []int64{3}}, {Name: "s", Type: tensor.String, Shape: []int64{1}}}
	tensors := []tensor.Tensor{{Info: wanted[0], Data: make([]byte, 12)}, {Info: wanted[1], Data: tensor.AppendString(nil, "text")}}
	for _, form := range forms {
		for _, m := range []*message{{id: "1", tensors: tensors, deadline: time.Now().Add(time.Second)}, {gap: true}, {id: "2", err: errFull}} {
			wire, err := oippb.NewCodec().Marshal(m.request("toy/stage/1", "r", form, time.Now()))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(wire.Materialize())
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := new(oippb.ModelInferRequest)
		if oippb.NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(bytes.Clone(data))}, r) != nil {
			return
		}
		m := parseMessage(r, wanted, time.Now())
		if m.err != nil || m.gap {
			if len(m.tensors) != 0 {
				t.Errorf("tensors beside the error %v", m.err)
			}
			return
		}
		if len(m.tensors) != len(wanted) {
			t.Fatalf("%d tensors", len(m.tensors))
		}
		for i, x := range m.tensors {
			if err := x.Check(); err != nil || x.Name != wanted[i].Name || x.Type != wanted[i].Type {
				t.Errorf("%v: %v", x.Info, err)
			}
		}
	})
}
