package modelbuilder

import "testing"

func TestAllBuild(t *testing.T) {
	all, err := All(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		data, err := m.Bytes()
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		t.Logf("%s: %d nodes, %d bytes", m.Name, len(m.Proto().Graph.Node), len(data))
	}
}
