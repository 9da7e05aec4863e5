package oippb

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// anyRequest draws a request as one comes from a stage.
func anyRequest(t *rapid.T) *ModelInferRequest {
	r := &ModelInferRequest{
		ModelName:        rapid.String().Draw(t, "name"),
		Id:               rapid.String().Draw(t, "id"),
		RawInputContents: rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "raw"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "inputs") {
		r.Inputs = append(r.Inputs, &ModelInferRequest_InferInputTensor{
			Name: rapid.String().Draw(t, "input"), Datatype: "FP32", Shape: rapid.SliceOf(rapid.Int64()).Draw(t, "shape"),
		})
	}
	if timeout := rapid.Int64().Draw(t, "timeout"); timeout != 0 {
		r.Parameters = map[string]*InferParameter{"timeout": {ParameterChoice: &InferParameter_Int64Param{Int64Param: timeout}}}
	}
	return r
}

// chop cuts a message into the pieces that a connection may give.
func chop(t *rapid.T, data []byte) mem.BufferSlice {
	var out mem.BufferSlice
	for len(data) > 0 {
		n := rapid.IntRange(1, len(data)).Draw(t, "piece")
		out = append(out, mem.SliceBuffer(data[:n]))
		data = data[n:]
	}
	return out
}

// Codec and protobuf read what the other has written.
func TestCodecIsProtobuf(t *testing.T) {
	codec := NewCodec()
	rapid.Check(t, func(t *rapid.T) {
		want := anyRequest(t)
		ours, err := codec.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := &ModelInferRequest{}
		if err := proto.Unmarshal(ours.Materialize(), got); err != nil || !proto.Equal(want, got) {
			t.Fatalf("protobuf reads %v, %v", got, err)
		}
		theirs, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got = &ModelInferRequest{ModelName: "left over"}
		if err := codec.Unmarshal(chop(t, theirs), got); err != nil || !proto.Equal(want, got) {
			t.Fatalf("the codec reads %v, %v", got, err)
		}
	})
}

// Raw contents come to lie where they are told to; whatever lay there before.
func TestCodecReadsIntoMemory(t *testing.T) {
	want := &ModelInferRequest{ModelName: "m", RawInputContents: [][]byte{{1, 2, 3}, {}, {4}}}
	var taken [][]byte
	codec := NewCodec().Into(func(n int) []byte {
		taken = append(taken, bytes.Repeat([]byte{99}, n))
		return taken[len(taken)-1]
	})
	data, err := codec.Marshal(want)
	got := &ModelInferRequest{}
	if err == nil {
		err = codec.Unmarshal(data, got)
	}
	if err != nil || !proto.Equal(want, got) {
		t.Fatalf("got %v, %v", got, err)
	}
	if len(taken) != 3 || &got.RawInputContents[0][0] != &taken[0][0] || &got.RawInputContents[2][0] != &taken[2][0] {
		t.Errorf("memory was asked for %d times, want 3 that are used", len(taken))
	}
}

// counted tells how much memory has come back.
type counted struct{ back *int }

func (counted) Get(n int) *[]byte { return new(make([]byte, n)) }
func (c counted) Put(*[]byte)     { *c.back++ }

// What is lent is written as it is, also twice, and comes back when all have freed it; what cannot be
// written keeps nothing.
func TestCodecLends(t *testing.T) {
	contents, back := bytes.Repeat([]byte{7}, 2000), 0
	buffer := mem.NewBuffer(&contents, counted{&back})
	plain := &ModelInferRequest{ModelName: "m", RawInputContents: [][]byte{contents}}
	codec := NewCodec()
	var written []mem.BufferSlice
	for range 2 {
		data, err := codec.Marshal(&Lent{ModelInferRequest: plain, Contents: []mem.Buffer{buffer}})
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, data)
	}
	broken := &Lent{ModelInferRequest: &ModelInferRequest{Id: "\xff"}, Contents: []mem.Buffer{buffer}}
	if _, err := codec.Marshal(broken); err == nil {
		t.Error("an id that is no UTF-8 was written")
	}
	buffer.Free()
	for _, data := range written {
		got := &ModelInferRequest{}
		if err := codec.Unmarshal(data, got); err != nil || !proto.Equal(plain, got) || back != 0 {
			t.Fatalf("got %v, %v, after %d came back", got, err, back)
		}
		data.Free()
	}
	if back != 1 {
		t.Errorf("it came back %d times", back)
	}
	data, err := codec.Marshal(&Lent{ModelInferRequest: plain})
	if got := (&ModelInferRequest{}); err != nil || codec.Unmarshal(data, got) != nil || !proto.Equal(plain, got) {
		t.Errorf("without lent contents: %v, %v", got, err)
	}
}

func TestCodecOfResponses(t *testing.T) {
	codec := NewCodec()
	want := &ModelInferResponse{
		ModelName: "m", ModelVersion: "r", Id: "i",
		Outputs:           []*ModelInferResponse_InferOutputTensor{{Name: "x", Datatype: "BOOL", Shape: []int64{2}}},
		RawOutputContents: [][]byte{{1, 0}},
	}
	for _, v := range []proto.Message{want, &ModelStreamInferResponse{ErrorMessage: "e", InferResponse: want}} {
		data, err := codec.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got := v.ProtoReflect().New().Interface()
		if err := codec.Unmarshal(data, got); err != nil || !proto.Equal(v, got) {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// The codec takes and refuses what protobuf takes and refuses, and reads the
// same, except for groups, which no field of the protocol is.
func FuzzCodec(f *testing.F) {
	good, err := proto.Marshal(&ModelInferRequest{ModelName: "m", RawInputContents: [][]byte{{1, 2}, {}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, 3)
	f.Add([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f}, 1)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		at = max(0, min(at, len(data)))
		got, want := &ModelInferRequest{}, &ModelInferRequest{}
		err := NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data[:at]), mem.SliceBuffer(data[at:])}, got)
		if err != nil {
			return
		}
		if err := proto.Unmarshal(data, want); err != nil {
			t.Fatalf("protobuf refuses what the codec took: %v", err)
		}
		// Fields that the protocol does not have are kept, with numbers in their
		// shortest form.
		got.ProtoReflect().SetUnknown(nil)
		want.ProtoReflect().SetUnknown(nil)
		if !proto.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		Inputs(got)
	})
}

func BenchmarkCodec(b *testing.B) {
	codec := NewCodec()
	r := &ModelInferRequest{
		ModelName: "m", Inputs: []*ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{25000}}},
		RawInputContents: [][]byte{make([]byte, 100_000)},
	}
	b.SetBytes(100_000)
	b.ReportAllocs()
	for b.Loop() {
		data, err := codec.Marshal(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := codec.Unmarshal(data, &ModelInferRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
