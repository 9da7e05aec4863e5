package worker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A manifest as plan writes it, for the tests that break it.
const goodManifest = `{
  "format_version": 1,
  "model": "toy",
  "release": "0123456789ab",
  "node": "node.pi[\"hall\"]",
  "listen": "192.0.2.1:7000",
  "queue": 2,
  "stage": {
    "index": 0,
    "count": 2,
    "optimization": "all",
    "threads": 0,
    "inputs": [{"name": "x", "type": "float32", "shape": [1, 3]}],
    "outputs": [{"name": "y", "type": "float32", "shape": [1, 4]}],
    "previous": {"node": "node.pi[\"hall\"]", "address": "192.0.2.1:7000"},
    "next": {"node": "node.pi[\"gate\"]", "address": "gate.local:7000"}
  },
  "gateway": {
    "inputs": [{"name": "x", "type": "float32", "shape": [1, 3]}],
    "outputs": [{"name": "z", "type": "int64", "shape": []}],
    "first": {"node": "node.pi[\"hall\"]", "address": "192.0.2.1:7000"},
    "last": {"node": "node.pi[\"gate\"]", "address": "gate.local:7000"},
    "timeout_seconds": 30
  }
}
`

func TestReadManifest(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ManifestFile), []byte(goodManifest), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := decodeManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, again); diff != "" {
		t.Error(diff)
	}
}

func TestReadManifestSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{`"format_version": 1`, `"format_version": 2`, "format version 2 is newer than this worker, which reads up to 1"},
		{`"format_version": 1`, `"format_version": 0`, "format version 0 does not exist"},
		{`"format_version": 1,`, ``, "no format_version"},
		{`"queue": 2`, `"queue": "two"`, "line 7: "},
		{`"queue": 2`, `"queue": 0`, "queue is 0"},
		{`"queue": 2`, `"queue": 2, "colour": 3`, `unknown field "colour"`},
		{`"model": "toy"`, `"model": ""`, "model is empty"},
		{`"release": "0123456789ab"`, `"release": ""`, "release is empty"},
		{`"listen": "192.0.2.1:7000"`, `"listen": "192.0.2.1"`, "listen: address 192.0.2.1: missing port"},
		{`"listen": "192.0.2.1:7000"`, `"listen": "192.0.2.1:x"`, "listen: "},
		{`"optimization": "all"`, `"optimization": "most"`, `unknown optimisation level "most"`},
		{`"index": 0`, `"index": 2`, "stage: index 2 of 2 stages"},
		{`"threads": 0`, `"threads": -1`, "stage: threads is -1"},
		{`"type": "float32"`, `"type": "float31"`, `unknown element type "float31"`},
		{`"name": "x"`, `"name": ""`, "stage: inputs[0] has no name"},
		{`[1, 3]`, `[1, -3]`, `"x" has the shape [1 -3]`},
		{`"timeout_seconds": 30`, `"timeout_seconds": 0`, "gateway: timeout_seconds is 0"},
		{`"next": {"node": "node.pi[\"gate\"]"`, `"next": {"node": "node.pi[\"hall\"]"`, "two stages of one release cannot share a node"},
		{`"index": 0`, `"index": 1`, "stage: the previous stage is on"},
		{"}\n}\n", "}\n", "line 25: unexpected end of JSON input"},
		{"}\n}\n", "}\n}\n{}", "line 26: "},
		{"{", "<", "invalid character '<'"},
	} {
		broken := strings.Replace(goodManifest, test.old, test.new, 1)
		if broken == goodManifest {
			t.Fatalf("%q is not in the manifest", test.old)
		}
		_, err := decodeManifest([]byte(broken))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.new, err, test.want)
		}
	}
}

func TestReadPeers(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{}`, ""},
		{`{"node.a": "q7jZ/xr1Hp9v+J2Jr+KXGsO2W1mCkVt4m2F0z3nN6aE="}`, ""},
		{`{"node.a": "q7jZ"}`, "node.a: the public key has 3 bytes, not 32"},
		{`{"node.a": "?"}`, "node.a: the public key is not base64"},
		{`{"node.a": 1}`, "line 1"},
		{`[]`, "line 1"},
	} {
		_, err := decodePeers([]byte(test.text))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.text, err, test.want)
		}
	}
}

func TestMissingManifest(t *testing.T) {
	if _, err := ReadManifest(t.TempDir()); err == nil || !strings.Contains(err.Error(), "the release is not complete") {
		t.Errorf("got %v", err)
	}
}

// What decodes is valid, and comes back the same from what it encodes to.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(goodManifest))
	f.Add([]byte(`{"format_version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data)
		if err != nil {
			return
		}
		encoded, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeManifest(encoded); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		messageLimit(m.receives(), true)
		messageLimit(m.sends(), false)
	})
}

func FuzzPeers(f *testing.F) {
	f.Add([]byte(`{"node.a": "q7jZ/xr1Hp9v+J2Jr+KXGsO2W1mCkVt4m2F0z3nN6aE="}`))
	f.Fuzz(func(t *testing.T, data []byte) { decodePeers(data) })
}
