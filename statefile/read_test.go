package statefile

import (
	"errors"
	"strings"
	"testing"
)

// One sentence for each way of being wrong.
func TestParseSaysWhatIsWrong(t *testing.T) {
	const head = `{"format_version":1,"edgeplan_version":"0.1.0","serial":3,`
	const lineage = `"lineage":"` + testLineage + `"`
	tests := []struct {
		name, content string
		want          error
		text          string // in the message
	}{
		{"empty", "", ErrEmpty, "s.json: the state is empty: it holds 0 bytes and no JSON; restore it"},
		{"white space", " \n\n", ErrEmpty, "it holds 3 bytes"},
		{"cut off", head + "\n" + `"lineage":"6f1f`, ErrCorrupt, "s.json:2:16: the state is corrupt: it was cut off, the JSON ends too early at byte"},
		{"no JSON", "{\n  lineage = 1\n}", ErrCorrupt, "s.json:2:3: the state is corrupt: it is no JSON from byte 5: invalid character 'l'"},
		{"binary", "\x00\x01\x02\x03", ErrCorrupt, "s.json:1:1:"},
		{"two values", head + lineage + "}\n{}", ErrCorrupt, "s.json:2:1: the state is corrupt: it is no JSON from byte 109: invalid character '{' after top-level value"},
		{"wrong type", `{"format_version":1,` + lineage + `,"serial":"three"}`, ErrCorrupt, "serial cannot be a JSON string"},
		{"array", `[]`, ErrCorrupt, "the state cannot be a JSON array"},
		{"unknown tensor type", head + lineage + `,"models":{"m":{"inputs":[{"name":"x","type":"float3"}]}}}`, ErrCorrupt, `unknown element type "float3"`},
		{"unknown field", head + lineage + `,"color":1}`, ErrCorrupt, `unknown field "color"`},
		{"no serial", `{"format_version":1,` + lineage + `}`, ErrCorrupt, "it has no serial"},
		{"serial without a next one", `{"format_version":1,` + lineage + `,"serial":18446744073709551615}`, ErrCorrupt, "its serial is 18446744073709551615"},
		{"a field twice", head + "\n" + `"serial":4,` + lineage + `}`, ErrCorrupt, `s.json:2:8: the state is corrupt: "serial" stands twice in one object`},
		{"a node twice", head + lineage + `,"nodes":{"node.a":{"path":"x"},"node.b":{},"node.a":{}}}`, ErrCorrupt, `"node.a" stands twice`},
		{"a key of an output twice", head + lineage + `,"outputs":{"o":[{"a":{"b":1},"b":[],"a":2}]}}`, ErrCorrupt, `"a" stands twice`},
		{"a field in another case", head + lineage + `,"Serial":6}`, ErrCorrupt, `unknown field "Serial": it is written "serial"`},
		{"a field of a slice in another case", head + lineage + `,"models":{"Name":{"programs":{"Digest":[{"DIGEST":"x"}]}}}}`, ErrCorrupt, `it is written "digest"`},
		{"slice on no node", head + lineage + `,"nodes":{"node.a":{}},"models":{"m":{"gateway":"node.a","slices":[{"node":"node.b"}]}}}`, ErrCorrupt,
			"model.m runs on node.b, which is not among its nodes"},
		{"gateway on no node", head + lineage + `,"models":{"m":{"gateway":"node.a"}}}`, ErrCorrupt, "model.m runs on node.a"},
		{"negative port", head + lineage + `,"nodes":{"node.a":{"ssh":{"port":-22}}}}`, ErrCorrupt, "node.a has the port -22, and ports go up to 65535"},
		{"port of a slice", head + lineage + `,"nodes":{"node.a":{}},"models":{"m":{"gateway":"node.a","slices":[{"node":"node.a","port":65536}]}}}`,
			ErrCorrupt, "slice.m[0] has the port 65536"},
		{"conflict", "{\n<<<<<<< HEAD\n\"serial\": 3\n=======\n\"serial\": 4\n>>>>>>> other\n}", ErrConflict,
			"s.json:2:1: the state holds merge conflict markers: states of two runs cannot be merged line by line; keep the side with the higher serial"},
		{"another JSON file", `{"name":"edgeplan"}`, ErrNotState, "it has no format_version; move it away"},
		{"format 0", `{"format_version":0}`, ErrNotState, "its format_version is 0"},
		{"fractional format", `{"format_version":1.5}`, ErrNotState, "its format_version is 1.5"},
		{"newer", `{"format_version":2,"edgeplan_version":"0.9.0","shards":[]}`, ErrNewerFormat,
			"s.json: the state is of a newer format: edgeplan 0.9.0 wrote it in format 2, and this edgeplan reads formats up to 1; use that version"},
		{"newer, unsigned", `{"format_version":3}`, ErrNewerFormat, "edgeplan of an unknown version wrote it"},
		{"no lineage", head + `"nodes":{}}`, ErrNoLineage, "nothing says which deployment it belongs to"},
		{"lineage is a path", head + `"lineage":"../../../etc"}`, ErrNoLineage, `"../../../etc" is not`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("s.json", []byte(test.content))
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("got  %v\nwant %s", err, test.text)
			}
			var problem *ReadError
			if !errors.As(err, &problem) || problem.Path != "s.json" {
				t.Errorf("%T is no *ReadError of s.json", err)
			}
		})
	}
}

// Whatever byte is lost from the end, the reader says so and does not accept it.
func TestParseRefusesEveryTruncation(t *testing.T) {
	content, err := EncodeState(sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(content) - 1 { // the last byte is a line end
		_, err := Parse("s.json", content[:n])
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrEmpty) {
			t.Fatalf("%d of %d bytes: got %v", n, len(content), err)
		}
	}
}

func TestParseFillsMaps(t *testing.T) {
	state, err := Parse("s.json", []byte(`{"format_version":1,"serial":1,"lineage":"`+testLineage+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if state.Nodes == nil || state.Models == nil || state.Outputs == nil {
		t.Errorf("a map is nil in %+v", state)
	}
}

// Whatever the reader accepts can be written and read again unchanged.
func FuzzParse(f *testing.F) {
	content, err := EncodeState(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte(`{"format_version":1,"serial":1,"lineage":"` + testLineage + `","outputs":{"a": [1, 2]}}`))
	f.Add([]byte(`{"format_version":2}`))
	f.Add([]byte("<<<<<<< a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := Parse("s.json", data)
		if err != nil {
			if state != nil || err.Error() == "" {
				t.Fatalf("state %v with error %q", state, err)
			}
			return
		}
		first, err := EncodeState(state)
		if err != nil {
			t.Fatalf("accepted and cannot be written: %v", err)
		}
		again, err := Parse("s.json", first)
		if err != nil {
			t.Fatalf("written and cannot be read: %v", err)
		}
		second, err := EncodeState(again)
		if err != nil || string(first) != string(second) {
			t.Fatalf("changed by writing and reading (error %v)", err)
		}
	})
}
