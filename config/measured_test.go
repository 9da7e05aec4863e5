package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// probed measures three boards and the radio between them, one way of which is lost.
func probed() *measurement.Measurements {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	m := &measurement.Measurements{}
	for _, name := range []string{"gate", "hall", "roof"} {
		m.Nodes = append(m.Nodes, measurement.Node{Node: `node.pi["` + name + `"]`, Architecture: "linux/arm64", Cores: 4,
			MemoryBytes: 400 << 20, MemoryTotalBytes: 512 << 20, MeasuredAt: at})
	}
	m.Nodes[1].ComputeFLOPPerSecond = 9e9
	for _, p := range [][2]string{{"gate", "hall"}, {"hall", "gate"}, {"gate", "roof"}, {"roof", "gate"}, {"hall", "roof"}} {
		m.Links = append(m.Links, measurement.Link{From: `node.pi["` + p[0] + `"]`, To: `node.pi["` + p[1] + `"]`,
			BandwidthBytesPerSecond: 5e6, RoundTripSeconds: 0.004, Spread: 0.02, MeasuredAt: at})
	}
	return m
}

// profileOf is a measured range of one segment.
func profileOf(model string, segment int) measurement.Profile {
	return measurement.Profile{Node: `node.pi["hall"]`, Model: model, Digest: strings.Repeat("0", 64), Optimization: "extended",
		FirstSegment: segment, LastSegment: segment, Seconds: 0.1, MeasuredAt: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)}
}

// measuredFolder is a folder with a configuration and measurements.
func measuredFolder(t *testing.T, hcl string, m *measurement.Measurements) string {
	t.Helper()
	dir := folder(t, []txtar.File{{Name: "main.edgeplan.hcl", Data: []byte(hcl)}, {Name: "model.onnx"}})
	if err := measurement.Write(dir, m); err != nil {
		t.Fatal(err)
	}
	return dir
}

func everyNode(*Node) bool { return true }

const boards = `
node "pi" {
  for_each   = toset(["gate", "hall", "roof"])
  address    = "${each.key}.local"
  profile_of = each.key == "hall" ? null : node.pi["hall"]
}
`

// With measurements, memory, compute and bandwidth may be left out.
func TestMeasuredAmounts(t *testing.T) {
	c, diags := Load(measuredFolder(t, boards+`
network "wifi" { nodes = values(node.pi) }
link "cable" {
  between = [node.pi["gate"], node.pi["hall"]]
  latency = "1ms"
}
output "memory" { value = "${node.pi["gate"].memory} ${node.pi["hall"].compute}" }
`, probed()), Options{})
	if len(diags) > 0 {
		t.Fatal(describeAll(c.Dir, diags))
	}
	for _, n := range c.Nodes {
		if n.Memory != 400<<20 || n.MemoryOrigin != Measured || n.Compute != 9e9 || n.ComputeOrigin != Measured {
			t.Errorf("%+v", n)
		}
		if shares := n.Address != `node.pi["hall"]`; shares != (n.ProfileOf == `node.pi["hall"]`) {
			t.Errorf("%s has the profile of %q", n.Address, n.ProfileOf)
		}
	}
	if l := c.Links[0]; l.Bandwidth != 0 || !l.LatencyGiven {
		t.Errorf("%+v", l)
	}
	if n := c.Networks[0]; n.Bandwidth != 0 || n.LatencyGiven {
		t.Errorf("%+v", n)
	}
	outputs, _ := c.EvalOutputs(nil)
	if got := outputs[0].Value.AsString(); got != "400MiB 9000000000FLOPS" {
		t.Errorf("references see %s", got)
	}
	want := `warning: main.edgeplan.hcl:8,1-15: Links are not known to work
  network.wifi has no bandwidth, and 1 of its 4 directions were not measured or let nothing through, the first from node.pi["roof"] to node.pi["hall"]. Nothing is sent there. Run ` + "`edgeplan probe -again -only links`" + ` once they should work, or write a link for them.
`
	if diff := cmp.Diff(want, describeAll(c.Dir, c.CheckMeasured(everyNode))); diff != "" {
		t.Error(diff)
	}
}

func TestCheckMeasured(t *testing.T) {
	tests := []struct{ name, hcl, want string }{
		{"what is measured, and what is not", `
node "a" { address = "a" }
node "b" {
  address = "b"
  memory  = "1GiB"
}
node "off" {
  address = "off"
  enabled = false
}
link "ab" { between = [node.a, node.b] }
network "n" { nodes = [node.a, node.b, node.off] }
`, `error: main.edgeplan.hcl:2,1-9: Neither written nor measured
  node.a has no memory and no compute, and it was not measured either. Run 'edgeplan probe', or add lines such as:
    memory = "512MiB"
    compute = "9GFLOPS"
error: main.edgeplan.hcl:3,1-9: Neither written nor measured
  node.b has no compute, and it was not measured either. Run 'edgeplan probe', or add lines such as:
    compute = "9GFLOPS"
error: main.edgeplan.hcl:11,1-10: Neither written nor measured
  link.ab has no bandwidth, and neither direction was measured to let anything through. Run 'edgeplan probe', or add a line such as:
    bandwidth = "94Mbps"
`},
		{"what is written otherwise than it was measured", `
node "pi" {
  for_each = toset(["gate", "hall", "roof"])
  address  = "${each.key}.local"
  memory   = each.key == "hall" ? "1GiB" : "64MiB"
  compute  = "20GFLOPS"
}
network "wifi" {
  nodes     = values(node.pi)
  bandwidth = "20Mbps"
}
`, `warning: main.edgeplan.hcl:5,14-51: Differs from what was measured
  memory of node.pi["hall"] is 1 GiB here, and 400 MiB was measured on 2026-05-01 (measurements.edgeplan.json). What is written here counts; remove it to take what was measured.
warning: main.edgeplan.hcl:6,14-24: Differs from what was measured
  compute of node.pi["hall"] is 20 GFLOPS here, and 9 GFLOPS was measured on 2026-05-01 (measurements.edgeplan.json). What is written here counts; remove it to take what was measured.
warning: main.edgeplan.hcl:10,15-23: Differs from what was measured
  bandwidth of network.wifi (node.pi["gate"] to node.pi["hall"]) is 20 Mbps here, and 40 Mbps was measured on 2026-05-01 (measurements.edgeplan.json). What is written here counts; remove it to take what was measured. The same line differs from 4 more measurements.
`},
		{"within a quarter", `
node "pi" {
  for_each = toset(["gate", "hall", "roof"])
  address  = "${each.key}.local"
  memory   = "500MiB"
  compute  = "11.25GFLOPS"
}
network "wifi" {
  nodes     = values(node.pi)
  bandwidth = "32Mbps"
}
`, ""},
		{"a link that was measured one way", boards + `
link "x" { between = [node.pi["roof"], node.pi["hall"]] }
`, `warning: main.edgeplan.hcl:8,1-9: Links are not known to work
  link.x has no bandwidth and works in one direction only by what was measured, so nothing is sent from node.pi["roof"] to node.pi["hall"]. Run 'edgeplan probe -again -only links' once it should work, or write the bandwidth.
`},
		{"a network of which nothing was measured", boards + `
node "new" {
  address = "new"
  memory  = "1GiB"
  compute = "1GFLOPS"
}
network "n" { nodes = [node.new, node.pi["hall"]] }
`, `error: main.edgeplan.hcl:13,1-12: Neither written nor measured
  network.n has no bandwidth, and none of its 2 directions was measured to let anything through. Run 'edgeplan probe', or add a line such as:
    bandwidth = "94Mbps"
`},
		{"measurements of nodes that are gone", `
node "pi" {
  for_each = toset(["hall"])
  address  = "${each.key}.local"
}
`, `warning: -: Measurements of unknown nodes
  measurements.edgeplan.json holds measurements of 2 nodes that the configuration does not have, node.pi["gate"] first. They are kept and do not count: rename them with the node, or delete them.
`},
		{"measurements of models that are gone", boards + `
model "kept" { source = "model.onnx" }
`, `warning: -: Measurements of unknown models
  measurements.edgeplan.json holds measurements of 1 model that the configuration does not have, gone first. They are kept and do not count: rename them with the model, or delete them.
`},
		{"a sensitive amount is not shown", `
variable "m" {
  default   = "4GiB"
  sensitive = true
}
node "pi" {
  for_each = toset(["gate", "hall", "roof"])
  address  = "${each.key}.local"
  memory   = var.m
  compute  = "9GFLOPS"
}
`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := probed()
			if strings.Contains(test.name, "and what is not") {
				m = &measurement.Measurements{}
			}
			if strings.Contains(test.name, "of models") {
				m.Profiles = []measurement.Profile{profileOf("gone", 0), profileOf("gone", 1), profileOf("kept", 0)}
			}
			c, diags := Load(measuredFolder(t, test.hcl, m), Options{})
			if len(diags) > 0 {
				t.Fatal(describeAll(c.Dir, diags))
			}
			got := c.CheckMeasured(everyNode)
			checkPlaces(t, c, got)
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "'", "`"), describeAll(c.Dir, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProfileOf(t *testing.T) {
	three := `
node "a" {
  address    = "a"
  memory     = "1GiB"
  PROFILE
}
node "b" {
  address = "b"
  memory  = "1GiB"
  compute = "9GFLOPS"
  OTHER
}
node "off" {
  address = "off"
  memory  = "1GiB"
  compute = "7GFLOPS"
  enabled = false
}
`
	tests := []struct{ name, profile, other, want string }{
		{"another node", `profile_of = node.b`, "", ""},
		{"an address as a text", `profile_of = "node.b"`, "", ""},
		{"null", "profile_of = null\n  compute = \"1GFLOPS\"", "", ""},
		{"a node that is switched off for now", `profile_of = node.off`, "", ""},
		{"itself", `profile_of = node.a`, "", "error: main.edgeplan.hcl:5,16-22: Invalid profile_of\n  node.a names itself. Leave profile_of out there; in a block with for_each write profile_of = each.key == KEY ? null : node.NAME[KEY].\n"},
		{"each other", `profile_of = node.b`, `profile_of = node.a`, "error: main.edgeplan.hcl:5,16-22: Invalid profile_of\n  node.a and node.b name each other, so neither has a profile. Leave profile_of out in the one that is measured.\n"},
		{"a chain", `profile_of = node.b`, `profile_of = node.off`, "error: main.edgeplan.hcl:5,16-22: Invalid profile_of\n  node.a names node.b, which itself has the profile of node.off. Name node.off.\n"},
		{"none", `profile_of = node.c`, "", "error: main.edgeplan.hcl:5,16-22: Reference to something undeclared\n  There is no node.c. Did you mean node.a?\n"},
		{"none as a text", `profile_of = "node.c"`, "", "error: main.edgeplan.hcl:5,16-24: Unknown node\n  \"node.c\" is no node of this configuration. Did you mean node.a?\n"},
		{"no node", `profile_of = 7`, "", "error: main.edgeplan.hcl:5,16-17: Wrong type\n  profile_of needs a node here, not a value of type number. Write a reference such as node.NAME.\n"},
		{"a list", `profile_of = [node.b]`, "", "error: main.edgeplan.hcl:5,16-24: Wrong type\n  profile_of needs a node here, not a value of type tuple. Write a reference such as node.NAME.\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.NewReplacer("PROFILE", test.profile, "OTHER", test.other).Replace(three)
			c, diags := Load(measuredFolder(t, text, &measurement.Measurements{}), Options{})
			var first string
			for _, line := range strings.SplitAfter(describeAll(c.Dir, diags), "error: ") {
				if strings.Contains(line, "profile_of") || strings.Contains(line, "16-") {
					first = "error: " + strings.TrimSuffix(line, "error: ")
					break
				}
			}
			if diff := cmp.Diff(test.want, first); diff != "" {
				t.Errorf("%s\n%s", diff, describeAll(c.Dir, diags))
			}
			if test.want == "" && c.Nodes[0].Compute == 0 {
				t.Error("no compute is shared")
			}
		})
	}
}

// Nodes of one block may share, and the block is no cycle for it; a cycle of what else
// it refers to is one.
func TestProfileOfWithinABlock(t *testing.T) {
	c, diags := Load(measuredFolder(t, `
locals { model = { gate = "hall", hall = null } }
node "pi" {
  for_each   = local.model
  address    = each.key
  memory     = "1GiB"
  compute    = each.key == "hall" ? "5GFLOPS" : null
  profile_of = each.value == null ? null : node.pi[each.value]
}
`, &measurement.Measurements{}), Options{})
	if len(diags) > 0 {
		t.Fatal(describeAll(c.Dir, diags))
	}
	if gate := c.Nodes[0]; gate.Compute != 5e9 || gate.ComputeOrigin != Declared || gate.ProfileOf != `node.pi["hall"]` {
		t.Errorf("%+v", gate)
	}
}

// A file that cannot be read is told once a plan needs it, and nothing else stops.
func TestUnreadableMeasurements(t *testing.T) {
	for text, want := range map[string]string{
		"": "error: measurements.edgeplan.json:1,1-1: Measurements cannot be read\n  The file is empty.",
		"{\"format_version\": 1,\n<<<<<<< HEAD\n\"nodes\": []\n=======\n\"nodes\": [],\n>>>>>>> wifi\n}": "error: measurements.edgeplan.json:2,1-1: Measurements cannot be read\n  The file has the marks of a merge conflict at line 2.",
		"\xef\xbb\xbf{\"format_version\": 1,\r\n \"nodes\": [{}]}":                                       "error: measurements.edgeplan.json:2,12-12: Measurements cannot be read\n  nodes[0].node is missing.",
	} {
		dir := measuredFolder(t, boards, &measurement.Measurements{})
		if err := os.WriteFile(filepath.Join(dir, measurement.FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c, diags := Load(dir, Options{})
		if len(diags) > 0 {
			t.Fatal(describeAll(dir, diags))
		}
		got := c.CheckMeasured(everyNode)
		checkPlaces(t, c, got)
		if text := describeAll(dir, got); !strings.HasPrefix(text, want) {
			t.Errorf("got %s\nwant %s", text, want)
		}
	}
	dir := measuredFolder(t, boards, &measurement.Measurements{})
	path := filepath.Join(dir, measurement.FileName)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	c, diags := Load(dir, Options{})
	if got := describeAll(dir, c.CheckMeasured(everyNode)); len(diags) > 0 || !strings.Contains(got, "is a folder") {
		t.Errorf("%v\n%s", diags, got)
	}
}

// A folder with nothing but measurements has no configuration.
func TestMeasurementsAreNoConfiguration(t *testing.T) {
	dir := t.TempDir()
	if err := measurement.Write(dir, probed()); err != nil {
		t.Fatal(err)
	}
	if _, diags := Load(dir, Options{}); !diags.HasErrors() {
		t.Error("measurements alone are taken for a configuration")
	}
}
