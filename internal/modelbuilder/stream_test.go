package modelbuilder

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// A model written piece by piece is the model.
func TestWriteInline(t *testing.T) {
	all, err := All(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := m.WriteInline(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got onnxpb.ModelProto
		if err := proto.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&got, m.Proto()) {
			t.Errorf("%s: the file holds another model", m.Name)
		}
	}
}
