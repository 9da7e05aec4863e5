package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// twoSites is a module used twice by for_each, with a module of its own, and
// joined by a link between what the two export.
const twoSites = `
-- main.edgeplan.hcl --
variable "secret" {
  default   = "hunter2"
  sensitive = true
}
ssh {
  user = "pi"
}
module "site" {
  source   = "./modules/site"
  for_each = { a = "256MiB", b = "512MiB" }
  memory   = each.value
  note     = { text = var.secret }
  result   = model.whole.throughput
}
link "trunk" {
  between   = [module.site["a"].uplink, module.site["b"].uplink]
  bandwidth = "100Mbps"
}
network "all" {
  nodes     = concat([for s in values(module.site) : s.gates[0]], [node.own])
  bandwidth = "10Mbps"
}
node "own" {
  address = "own.local"
  memory  = "1GiB"
  compute = "1GFLOPS"
}
model "whole" {
  source  = "model.onnx"
  gateway = module.site["b"].uplink
}
output "uplinks" {
  value = { for name, site in module.site : name => site.uplink.id }
}
output "doubled" {
  value = module.site["a"].doubled
}
output "note" {
  value     = module.site["a"].note
  sensitive = true
}
-- model.onnx --
-- modules/site/main.edgeplan.hcl --
variable "memory" {
  type = string
}
variable "note" {
  type    = object({ text = string, more = optional(string, "none") })
}
variable "result" {
}
ssh {
  port = 2222
}
node "pi" {
  for_each = toset(["hall", "gate"])
  address  = "${each.key}.${var.memory}.${path.module == "modules/site" ? "site" : path.module}"
  memory   = var.memory
  compute  = "1GFLOPS"
}
network "wifi" {
  nodes     = concat(values(node.pi), [module.rack.boards[0]])
  bandwidth = "40Mbps"
}
module "rack" {
  source = "../rack"
  prefix = var.memory
}
model "local" {
  source  = "${path.module}/small.onnx"
}
output "uplink" {
  value = node.pi["hall"]
}
output "gates" {
  value = [node.pi["gate"]]
}
output "doubled" {
  value = var.result * 2
}
output "note" {
  value = var.note
}
-- modules/site/small.onnx --
-- modules/rack/main.edgeplan.hcl --
variable "prefix" {}
node "board" {
  count   = 2
  address = "${var.prefix}-board-${count.index}.local"
  memory  = "1GiB"
  compute = "2GFLOPS"
}
network "wire" {
  links = [{ from = "node.board[0]", to = node.board[1], bandwidth = "1Gbps" }]
}
output "boards" {
  value = node.board
}
`

func TestModules(t *testing.T) {
	c, diags := loadArchive(t, twoSites, Options{})
	if len(diags) > 0 {
		t.Fatal(describeAll(c.Dir, diags))
	}
	var got []string
	for _, n := range c.Nodes {
		got = append(got, fmt.Sprintf("%s %s@%s:%d %d", n.Address, n.SSH.User, n.SSH.Host, n.SSH.Port, n.Memory>>20))
	}
	for _, l := range c.Links {
		got = append(got, fmt.Sprintf("%s %s", l.Address, l.Between))
	}
	for _, n := range c.Networks {
		got = append(got, fmt.Sprintf("%s %s %d", n.Address, n.Nodes, len(n.Links)))
	}
	for _, m := range c.Models {
		got = append(got, fmt.Sprintf("%s %s %s %s", m.Address, m.Name, strings.TrimPrefix(m.Source, c.Dir), m.Gateway))
	}
	want := strings.Split(strings.TrimSpace(`
module.site["a"].module.rack.node.board[0] pi@256MiB-board-0.local:2222 1024
module.site["a"].module.rack.node.board[1] pi@256MiB-board-1.local:2222 1024
module.site["a"].node.pi["gate"] pi@gate.256MiB.site:2222 256
module.site["a"].node.pi["hall"] pi@hall.256MiB.site:2222 256
module.site["b"].module.rack.node.board[0] pi@512MiB-board-0.local:2222 1024
module.site["b"].module.rack.node.board[1] pi@512MiB-board-1.local:2222 1024
module.site["b"].node.pi["gate"] pi@gate.512MiB.site:2222 512
module.site["b"].node.pi["hall"] pi@hall.512MiB.site:2222 512
node.own pi@own.local:0 1024
link.trunk [module.site["a"].node.pi["hall"] module.site["b"].node.pi["hall"]]
module.site["a"].module.rack.network.wire [module.site["a"].module.rack.node.board[0] module.site["a"].module.rack.node.board[1]] 1
module.site["a"].network.wifi [module.site["a"].node.pi["gate"] module.site["a"].node.pi["hall"] module.site["a"].module.rack.node.board[0]] 0
module.site["b"].module.rack.network.wire [module.site["b"].module.rack.node.board[0] module.site["b"].module.rack.node.board[1]] 1
module.site["b"].network.wifi [module.site["b"].node.pi["gate"] module.site["b"].node.pi["hall"] module.site["b"].module.rack.node.board[0]] 0
network.all [module.site["a"].node.pi["gate"] module.site["b"].node.pi["gate"] node.own] 0
module.site["a"].model.local site-a-local /modules/site/small.onnx module.site["a"].node.pi["gate"]
module.site["b"].model.local site-b-local /modules/site/small.onnx module.site["b"].node.pi["gate"]
model.whole whole /model.onnx module.site["b"].node.pi["hall"]
`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestModuleOutputs gives a module the result of a model in the root, and takes
// out what it makes of it.
func TestModuleOutputs(t *testing.T) {
	c, diags := loadArchive(t, twoSites, Options{})
	if len(diags) > 0 {
		t.Fatal(describeAll(c.Dir, diags))
	}
	for _, throughput := range []float64{3, 4} {
		outputs, diags := c.EvalOutputs(map[string]ModelResult{"whole": {Throughput: throughput}})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		text := func(s string) cty.Value { return cty.StringVal(s) }
		want := []Output{
			{Name: "doubled", Value: cty.NumberFloatVal(2 * throughput)},
			{Name: "note", Sensitive: true, Value: cty.ObjectVal(map[string]cty.Value{"text": text("hunter2"), "more": text("none")})},
			{Name: "uplinks", Value: cty.ObjectVal(map[string]cty.Value{
				"a": text(`module.site["a"].node.pi["hall"]`), "b": text(`module.site["b"].node.pi["hall"]`),
			})},
		}
		equal := cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })
		if diff := cmp.Diff(want, outputs, equal); diff != "" {
			t.Errorf("at %v: %s", throughput, diff)
		}
	}
	outputs, _ := c.EvalOutputs(nil)
	if outputs[0].Value.IsKnown() {
		t.Errorf("doubled is known before a plan: %#v", outputs[0].Value)
	}
}

// TestConditionsOnResults decides a condition through modules once results are
// known, at every instance.
func TestConditionsOnResults(t *testing.T) {
	c, diags := loadArchive(t, `
-- main.edgeplan.hcl --
module "m" {
  source   = "./m"
  for_each = { a = 2, b = 10 }
  value    = model.m.throughput
  limit    = each.value
}
node "one" {
  address = "one.local"
  memory  = "512MiB"
  compute = "9GFLOPS"
}
model "m" {
  source = "model.onnx"
}
output "o" {
  value = [for m in module.m : m.o]
  precondition {
    condition     = module.m["b"].o > 20
    error_message = "It is ${module.m["b"].o}."
  }
}
-- m/main.edgeplan.hcl --
variable "value" {
}
variable "limit" {
}
locals {
  double = var.value * 2
}
output "o" {
  value = local.double
  precondition {
    condition     = local.double > var.limit
    error_message = "Not above ${var.limit}."
  }
}
-- model.onnx --
`, Options{})
	if len(diags) > 0 {
		t.Fatal(describeAll(c.Dir, diags))
	}
	for throughput, want := range map[float64]string{
		20: "",
		4:  "module.m[\"b\"].output.o: Not above 10.\noutput.o: It is 8.\n",
		1:  "module.m[\"a\"].output.o: Not above 2.\nmodule.m[\"b\"].output.o: Not above 10.\noutput.o: It is 2.\n",
	} {
		_, diags := c.EvalOutputs(map[string]ModelResult{"m": {Throughput: throughput}})
		got := ""
		for _, d := range diags {
			got += d.Detail + "\n"
		}
		if got != want {
			t.Errorf("at %v: %s, want %s", throughput, got, want)
		}
	}
	if _, diags := c.EvalOutputs(nil); len(diags) > 0 {
		t.Errorf("without results: %v", diags)
	}
}
