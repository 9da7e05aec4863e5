package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"
)

// sketch is the configuration of the documentation.
const sketch = `
-- main.edgeplan.hcl --
edgeplan {
  required_version = ">= 0.1"
  replan_threshold = "7.5%"
}
variable "fps" {
  type    = number
  default = 12
}
ssh {
  user          = "pi"
  identity_file = "~/.ssh/id_ed25519"
}
model "resnet50" {
  source     = "models/resnet50.onnx"
  dimensions = { batch = 1 }
  gateway    = node.pi["hall"]
  solver {
    algorithm  = "exact"
    time_limit = "1.5s"
  }
  require {
    throughput = var.fps
  }
}
output "throughput" {
  value       = local.rounded
  description = "Inferences per second."
}
output "fastest" {
  value = [for n in values(node.pi) : n.address if n.memory == "1GiB"]
}
-- nodes.edgeplan.hcl --
locals {
  memory  = { hall = "1GiB" }
  rounded = floor(model.resnet50.throughput)
}
node "pi" {
  for_each = toset(["hall", "gate", "roof"])
  address  = "${each.key}.local"
  memory   = lookup(local.memory, each.key, "512MiB")
  compute  = "9GFLOPS"
}
node "jetson" {
  count            = 2
  address          = cidrhost("10.0.0.0/24", 10 + count.index)
  user             = "nvidia"
  port             = 2222
  memory           = "4GB"
  compute          = "0.5TFLOPS"
  architecture     = "linux/arm64"
  path             = "/opt/edgeplan"
  pipeline_address = "192.168.1.${count.index + 1}"
  pipeline_port    = 9000
  enabled          = count.index == 1
}
link "hall_gate" {
  between   = [node.pi["hall"], node.pi["gate"]]
  bandwidth = "94Mbps"
  latency   = "2ms"
}
network "wifi" {
  nodes     = values(node.pi)
  bandwidth = "40Mbps"
  shared    = true
}
network "mesh" {
  nodes = concat(node.jetson[*], [node.pi["roof"]])
  links = csvdecode(file("links.csv"))
}
-- links.csv --
from,to,bandwidth,latency
node.jetson[0],node.jetson[1],1Gbps,10us
"node.pi[""roof""]",node.jetson[0],8kbps,
node.jetson[0],node.pi["roof"],800bps,1ms
node.jetson[0],node.jetson[0],800bps,1ms
-- models/resnet50.onnx --
`

func loadArchive(t *testing.T, archive string, o Options) (*Config, hcl.Diagnostics) {
	t.Helper()
	return Load(folder(t, txtar.Parse([]byte(archive)).Files), o)
}

func TestLoad(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	got, diags := loadArchive(t, sketch, Options{Version: "0.1.0-dev"})
	if len(diags) > 0 {
		t.Fatal(describeAll(got.Dir, diags))
	}
	pi := func(name string, memory int64) *Node {
		return &Node{
			Address:         `node.pi["` + name + `"]`,
			SSH:             SSH{Host: name + ".local", User: "pi", IdentityFile: "/home/operator/.ssh/id_ed25519"},
			Path:            ".edgeplan",
			Memory:          memory,
			MemoryOrigin:    Declared,
			Compute:         9e9,
			ComputeOrigin:   Declared,
			PipelineAddress: name + ".local",
			PipelinePort:    7433,
			Enabled:         true,
		}
	}
	jetson := func(address, host, pipeline string, enabled bool) *Node {
		return &Node{
			Address:         address,
			SSH:             SSH{Host: host, Port: 2222, User: "nvidia", IdentityFile: "/home/operator/.ssh/id_ed25519"},
			Path:            "/opt/edgeplan",
			Memory:          4e9,
			MemoryOrigin:    Declared,
			Compute:         5e11,
			ComputeOrigin:   Declared,
			Architecture:    "linux/arm64",
			PipelineAddress: pipeline,
			PipelinePort:    9000,
			Enabled:         enabled,
		}
	}
	want := &Config{
		Dir:      got.Dir,
		Settings: Settings{RequiredVersion: ">= 0.1", ReplanThreshold: 0.075, KeepReleases: 2},
		Nodes: []*Node{
			jetson("node.jetson[0]", "10.0.0.10", "192.168.1.1", false),
			jetson("node.jetson[1]", "10.0.0.11", "192.168.1.2", true),
			pi("gate", 512<<20), pi("hall", 1<<30), pi("roof", 512<<20),
		},
		Links: []*Link{{
			Address: "link.hall_gate", Between: [2]string{`node.pi["hall"]`, `node.pi["gate"]`},
			Bandwidth: 94e6 / 8, Latency: 2 * time.Millisecond, LatencyGiven: true,
		}},
		Networks: []*Network{
			{
				Address: "network.mesh", Nodes: []string{"node.jetson[0]", "node.jetson[1]", `node.pi["roof"]`},
				Links: []NetworkLink{
					{"node.jetson[0]", "node.jetson[1]", 125e6, 10 * time.Microsecond, true},
					{`node.pi["roof"]`, "node.jetson[0]", 1000, 0, false},
					{"node.jetson[0]", `node.pi["roof"]`, 100, time.Millisecond, true},
				},
			},
			{
				Address: "network.wifi", Nodes: []string{`node.pi["gate"]`, `node.pi["hall"]`, `node.pi["roof"]`},
				Bandwidth: 5e6, Shared: true,
			},
		},
		Models: []*Model{{
			Address: "model.resnet50", Name: "resnet50", Source: filepath.Join(got.Dir, "models/resnet50.onnx"),
			Dimensions: map[string]int64{"batch": 1}, Gateway: `node.pi["hall"]`, Optimization: "extended",
			Solver:            Solver{Algorithm: "exact", TimeLimit: 1500 * time.Millisecond},
			RequireThroughput: 12,
		}},
	}
	ignore := cmp.Options{cmpopts.IgnoreTypes(hcl.Range{}), cmpopts.IgnoreUnexported(Config{}, Node{}, Link{}, Network{}), cmpopts.IgnoreFields(Config{}, "Sources", "Measured")}
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
	m := got.Models[0]
	for name, at := range map[string]hcl.Range{"header": m.Range, "source": m.SourceRange, "require": m.RequireRange} {
		if line := map[string]int{"header": 13, "source": 14, "require": 22}[name]; at.Start.Line != line {
			t.Errorf("the range of %s is line %d, want %d", name, at.Start.Line, line)
		}
	}
}

func TestEvalOutputs(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	c, diags := loadArchive(t, sketch, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	before, diags := c.EvalOutputs(nil)
	if len(diags) > 0 || len(before) != 2 {
		t.Fatalf("before a plan: %v %v", before, diags)
	}
	if before[0].Name != "fastest" || !before[0].Value.RawEquals(cty.TupleVal([]cty.Value{cty.StringVal("hall.local")})) {
		t.Errorf("fastest = %#v", before[0])
	}
	if before[1].Value.IsKnown() {
		t.Errorf("throughput is known before a plan: %#v", before[1].Value)
	}
	after, diags := c.EvalOutputs(map[string]ModelResult{"resnet50": {Throughput: 13.7, Latency: 0.2, Release: "abc"}})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if got := after[1]; got.Description != "Inferences per second." || !got.Value.RawEquals(cty.NumberIntVal(13)) {
		t.Errorf("throughput = %#v", got)
	}
}

func TestEvalOutputsFault(t *testing.T) {
	c := mustLoad(t, nodeSource+`
model "m" {
  source = "model.onnx"
}
output "inverse" {
  value = 1 / model.m.throughput
}
`)
	outputs, diags := c.EvalOutputs(map[string]ModelResult{"m": {}})
	if len(outputs) != 0 || len(diags) != 1 || diags[0].Summary != "Output is infinite" || diags[0].Subject == nil {
		t.Errorf("a division by 0 gave %v, %v", outputs, diags)
	}
}

func TestOutputsOfRepeatedModels(t *testing.T) {
	c := mustLoad(t, nodeSource+`
model "m" {
  for_each  = { small = "basic", large = "all" }
  source       = "model.onnx"
  optimization = each.value
}
model "n" {
  count  = 2
  source = "model.onnx"
}
output "releases" {
  value = [model.m["small"].release, model.n[1].release, values(model.m)[*].name, model.n[0].gateway]
}
`)
	var names []string
	for _, m := range c.Models {
		names = append(names, m.Address+" "+m.Name+" "+m.Optimization)
	}
	want := []string{`model.m["large"] m-large all`, `model.m["small"] m-small basic`, "model.n[0] n-0 extended", "model.n[1] n-1 extended"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	outputs, diags := c.EvalOutputs(map[string]ModelResult{"m-small": {Release: "a"}, "n-1": {Release: "b"}})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	text := func(s string) cty.Value { return cty.StringVal(s) }
	value := cty.TupleVal([]cty.Value{text("a"), text("b"), cty.ListVal([]cty.Value{text("m-large"), text("m-small")}), text("node.one")})
	if got := outputs[0].Value; !got.RawEquals(value) {
		t.Errorf("releases = %#v", got)
	}
}

const nodeSource = `
node "one" {
  address = "one.local"
  memory  = "512MiB"
  compute = "9GFLOPS"
}
`

func TestGatewayIsFirstEnabledAsWritten(t *testing.T) {
	c := mustLoad(t, `
node "z" {
  for_each = { b = true, a = false, c = true }
  address  = "${each.key}.${node.a.address}"
  memory   = "1GiB"
  compute  = "1GFLOPS"
  enabled  = each.value
}
node "a" {
  address = "a.local"
  memory  = "1GiB"
  compute = "1GFLOPS"
}
model "m" {
  source = "model.onnx"
}
`)
	if got := c.Models[0].Gateway; got != `node.z["b"]` {
		t.Errorf("gateway = %s", got)
	}
}
