package measurement

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func whenever() time.Time { return time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC) }

func someNode(address string) Node {
	return Node{Node: address, Architecture: "linux/arm64", Cores: 4, MemoryBytes: 400 << 20, MemoryTotalBytes: 512 << 20,
		DiskFreeBytes: 1 << 30, ComputeFLOPPerSecond: 9e9, EngineBaseBytes: 50 << 20, ClockOffsetSeconds: -0.5, MeasuredAt: whenever()}
}

func someLink(from, to string) Link {
	return Link{From: from, To: to, BandwidthBytesPerSecond: 1.2e7, RoundTripSeconds: 0.004, Spread: 0.02, MeasuredAt: whenever()}
}

func someProfile(node string, first, last int) Profile {
	return Profile{Node: node, Model: "m", Digest: sum, Optimization: "extended", Threads: 1, FirstSegment: first, LastSegment: last,
		Seconds: 0.1, Spread: 0.01, PeakMemoryBytes: 90 << 20, MeasuredAt: whenever()}
}

func some() *Measurements {
	return &Measurements{
		FormatVersion: FormatVersion,
		Nodes:         []Node{someNode(`node.pi["gate"]`), someNode(`node.pi["hall"]`)},
		Links:         []Link{someLink(`node.pi["gate"]`, `node.pi["hall"]`), someLink(`node.pi["hall"]`, `node.pi["gate"]`)},
		Profiles:      []Profile{someProfile(`node.pi["gate"]`, 0, 3), someProfile(`node.pi["gate"]`, 2, 2)},
	}
}

func encoded(t testing.TB, m *Measurements) string {
	t.Helper()
	src, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestEncodeGivesOneLineAValue(t *testing.T) {
	m := &Measurements{Links: []Link{someLink("node.b", "node.a"), someLink("node.a", "node.b")}}
	want := `{
  "format_version": 1,
  "nodes": [],
  "links": [
    {
      "from": "node.a",
      "to": "node.b",
      "bandwidth_bytes_per_second": 12000000,
      "round_trip_seconds": 0.004,
      "spread": 0.02,
      "measured_at": "2026-05-01T10:00:00Z"
    },
    {
      "from": "node.b",
      "to": "node.a",
      "bandwidth_bytes_per_second": 12000000,
      "round_trip_seconds": 0.004,
      "spread": 0.02,
      "measured_at": "2026-05-01T10:00:00Z"
    }
  ],
  "profiles": []
}
`
	if diff := cmp.Diff(want, encoded(t, m)); diff != "" {
		t.Error(diff)
	}
}

// A hand makes these changes to a sound file; the error says where and what to do.
func TestDecodeSaysWhatIsWrong(t *testing.T) {
	sound := encoded(t, some())
	tests := []struct {
		name, old, new string
		want           string
	}{
		{"older than the first", `"format_version": 1`, `"format_version": 0`, `f:2:3: format_version: is 0, and the first was 1`},
		{"newer", `"format_version": 1`, `"format_version": 2`, `f:2:3: format_version: is 2: a newer edgeplan wrote this, and this one reads formats up to 1. Use the newer edgeplan`},
		{"version as a text", `"format_version": 1`, `"format_version": "1"`, `f:2:3: format_version: is "1", and a whole number was expected, as 1`},
		{"no version", `"format_version": 1,`, ``, `f:1:1: format_version: is missing, so this is no file of measurements. Write "format_version": 1 if it is one`},
		{"unknown field", `"cores": 4`, `"coers": 4`, `f:7:7: nodes[0].coers: is not known here. Did you mean cores?`},
		{"unknown list", `"links"`, `"connections"`, `: connections: is not known here. Choose from format_version, nodes, links, profiles.`},
		{"field twice", `"cores": 4,`, `"cores": 4, "cores": 5,`, `f:7:19: nodes[0].cores: is given twice. Keep one of them`},
		{"field of another case", `"cores": 4`, `"Cores": 4`, `f:7:7: nodes[0].Cores: is not known here. Did you mean cores?`},
		{"missing field", `"cores": 4,`, ``, `f:4:5: nodes[0].cores: is missing`},
		{"negative", `"cores": 4`, `"cores": -4`, `f:7:16: nodes[0].cores: is negative: -4`},
		{"a fraction of a byte", `"memory_bytes": 419430400`, `"memory_bytes": 1.5`, `f:8:23: nodes[0].memory_bytes: is 1.5; a whole number of at most 63 bits is expected`},
		{"more memory than there is", `"memory_bytes": 419430400`, `"memory_bytes": 9007199254740993`, `nodes[0].memory_bytes: is 9007199254740993; it must be from 0 to 1125899906842624`},
		{"beyond a float", `"spread": 0.02`, `"spread": 1e999`, `links[0].spread: is 1e999, which is beyond what a 64-bit float holds`},
		{"a text for a number", `"spread": 0.02`, `"spread": "2%"`, `links[0].spread: is a text, and a number was expected`},
		{"null", `"spread": 0.02`, `"spread": null`, `links[0].spread: is null, and a number was expected`},
		{"less than nothing", `"bandwidth_bytes_per_second": 12000000`, `"bandwidth_bytes_per_second": -1`,
			`links[0].bandwidth_bytes_per_second: is negative: -1`},
		{"next to no bandwidth", `"bandwidth_bytes_per_second": 12000000`, `"bandwidth_bytes_per_second": 5e-324`,
			`links[0].bandwidth_bytes_per_second: is 5e-324; it must be 0, for nothing that gets through, or from 0.001 to 1e+13`},
		{"next to no time", `"seconds": 0.1`, `"seconds": 5e-324`, `profiles[0].seconds: is 5e-324; it must be from 1e-09 to 1e+06`},
		{"no time", `"2026-05-01T10:00:00Z"`, `"yesterday"`, `nodes[0].measured_at: is "yesterday"; a time such as 2026-05-01T10:00:00Z is expected`},
		{"the year 1", `"2026-05-01T10:00:00Z"`, `"0001-01-01T00:00:00Z"`, `nodes[0].measured_at: is of the year 1; a time such as`},
		{"a clock at its beginning", `"2026-05-01T10:00:00Z"`, `"1969-12-31T23:59:59Z"`, `is of the year 1969`},
		{"link to itself", `"to": "node.pi[\"hall\"]"`, `"to": "node.pi[\"gate\"]"`, `links[0].to: is the node that it is from; a link is between two`},
		{"range backwards", `"last_segment": 3`, `"last_segment": -1`, `profiles[0].last_segment: is negative: -1`},
		{"twice", `"node": "node.pi[\"hall\"]"`, `"node": "node.pi[\"gate\"]"`, `nodes[1]: measures the same as entry 0 of this list. Keep the newer one`},
		{"no digest", sum, `abc`, `profiles[0].digest: is "abc"; the sha256 of the model file as 64 hex digits is expected`},
		{"no level", `"extended"`, `"fast"`, `profiles[0].optimization: is "fast"; it must be one of disabled, basic, extended, all`},
		{"a name that steers the terminal", `"model": "m"`, `"model": "\u001b[2J"`, `profiles[0].model: is "\x1b[2J"; a name without control characters is expected, since it is printed`},
		{"dimensions that steer the terminal", `"optimization":`, `"dimensions": "\u001b[2J", "optimization":`, `profiles[0].dimensions: is "\x1b[2J"; a name without control`},
		{"an empty name", `"model": "m"`, `"model": " "`, `profiles[0].model: is empty`},
		{"an entry that is none", `"profiles": [`, `"profiles": [ 7,`, `profiles[0]: is a number, and an object was expected`},
		{"a list that is none", `"nodes": [`, `"nodes": {}, "x": [`, `f:3:12: nodes: is an object, and a list was expected`},
		{"a comma too many", `"cores": 4,`, `"cores": 4,,`, `f:7:18: is no JSON from here: invalid character ','`},
		{"NaN", `"spread": 0.02`, `"spread": NaN`, `is no JSON from here: invalid character 'N'`},
		{"a merge", `"cores": 4,`, "\n<<<<<<< HEAD\n\"cores\": 4,\n=======\n\"cores\": 2,\n>>>>>>> other\n",
			`f:8:1: has the marks of a merge conflict at line 8. Keep one side of each`},
		{"half a merge", `"cores": 4,`, "\"cores\": 4,\n=======\n", `f:8:1: has the marks of a merge conflict at line 8.`},
		{"Latin-1", `"model": "m"`, "\"model\": \"m\xe4\"", `is no text in UTF-8 from here`},
		{"more after it", "\n}\n", "\n}\n{}", `is no JSON from here: invalid character '{' after top-level value`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := strings.Replace(sound, test.old, test.new, 1)
			if src == sound {
				t.Fatalf("the file has no %s", test.old)
			}
			_, err := Decode("f", []byte(src))
			var faults *Faults
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestDecodeOfWhatIsNoFileOfMeasurements(t *testing.T) {
	for src, want := range map[string]string{
		"":                 "f:1:1: is empty. Bring back its last version from git, or move it away",
		" \n":              "f:2:1: is empty",
		"[]":               "f:1:1: is a list, and an object was expected",
		"null":             "f:1:1: is null, and an object was expected",
		"7":                "f:1:1: is a number, and an object was expected",
		"{":                "f:1:2: is cut off: the JSON ends in the middle",
		"\xef\xbb\xbf":     "is empty",
		"{}":               "format_version: is missing",
		"node \"pi\" {\n}": "f:1:2: is no JSON from here",
	} {
		if _, err := Decode("f", []byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", src, err, want)
		}
	}
}

// Every file that was cut in the middle is refused.
func TestDecodeRefusesEveryTruncation(t *testing.T) {
	src := strings.TrimSpace(encoded(t, some()))
	for n := range len(src) {
		if _, err := Decode("f", []byte(src[:n])); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a file", n, len(src))
		}
	}
}

// What editors and hands change without changing what is said.
func TestDecodeToleratesWhatSaysTheSame(t *testing.T) {
	sound := encoded(t, some())
	swapped := strings.NewReplacer(`"node": "node.pi[\"hall\"]"`, `"node": "node.pi[\"gate\"]"`, `"node": "node.pi[\"gate\"]"`, `"node": "node.pi[\"hall\"]"`)
	head, tail, _ := strings.Cut(sound, `"links"`)
	for name, src := range map[string]string{
		"CRLF":             strings.ReplaceAll(sound, "\n", "\r\n"),
		"byte order mark":  "\xef\xbb\xbf" + sound,
		"no white space":   strings.NewReplacer("\n", "", "  ", "").Replace(sound),
		"nodes backwards":  swapped.Replace(head) + `"links"` + tail,
		"another zone":     strings.Replace(sound, "2026-05-01T10:00:00Z", "2026-05-01T12:00:00.4+02:00", 1),
		"an escaped quote": strings.ReplaceAll(sound, `\"`, "\\u0022"),
	} {
		got, err := Decode("f", []byte(src))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(some(), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDecodeTellsTheFirstFaultsAndCountsTheRest(t *testing.T) {
	m := &Measurements{}
	for i := range 100 {
		m.Nodes = append(m.Nodes, someNode(fmt.Sprintf("node.n%03d", i)))
	}
	_, err := Decode("f", []byte(strings.ReplaceAll(encoded(t, m), `"cores": 4`, `"cores": -4`)))
	var faults *Faults
	if !errors.As(err, &faults) || len(faults.All) != mostFaults || faults.More != 80 {
		t.Fatalf("got %v", err)
	}
	if !strings.HasSuffix(err.Error(), "f: 80 more like these; correct the first ones and run again") {
		t.Errorf("got %v", err)
	}
}

// Every field of the types is read and checked.
func TestFieldsAreThoseOfTheTypes(t *testing.T) {
	for _, test := range []struct {
		of     any
		fields []field
	}{{Node{}, new(Node).fields()}, {Link{}, new(Link).fields()}, {Profile{}, new(Profile).fields()}} {
		var want, got []string
		for i := range reflect.TypeOf(test.of).NumField() {
			tag := reflect.TypeOf(test.of).Field(i).Tag.Get("json")
			want = append(want, tag)
		}
		for _, f := range test.fields {
			if f.optional {
				f.name += ",omitempty"
			}
			got = append(got, f.name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T: %s", test.of, diff)
		}
	}
}
