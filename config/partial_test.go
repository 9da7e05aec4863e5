package config

import (
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestPartial checks a configuration whose variables have no value: nothing that
// depends on them is an error, and everything else still is.
func TestPartial(t *testing.T) {
	source := `
variable "boards" {
  type = map(string)
}
variable "name" {
}
node "pi" {
  for_each = var.boards
  address  = each.value
  memory   = "1GiB"
  compute  = "1GFLOPS"
}
node "one" {
  address = "one.local"
  port    = var.name
  memory  = var.name
  compute = "1GFLOPS"
}
node "two" {
  address = "one.local"
  port    = var.name
  memory  = "1GiB"
  compute = "1GFLOPS"
}
link "l" {
  between   = [node.one, "node.pi[\"hall\"]"]
  bandwidth = "1Mbps"
}
network "n" {
  nodes = values(node.pi)
  links = [{ from = "node.pi[\"hall\"]", to = node.one, bandwidth = "1Mbps" }]
}
module "m" {
  source   = "./m"
  for_each = var.boards
  x        = each.key
}
model "m" {
  source  = "${var.name}.onnx"
  gateway = node.pi["hall"]
  require {
    throughput = length(var.boards)
  }
  precondition {
    condition     = module.m["hall"].y == 1
    error_message = "y"
  }
}
output "o" {
  value = module.m["hall"].y + model.m.throughput
}
`
	dir := func(source string) string {
		return folder(t, []txtar.File{
			{Name: "main.edgeplan.hcl", Data: []byte(source)},
			{Name: "m/main.edgeplan.hcl", Data: []byte("variable \"x\" {\n}\noutput \"y\" {\n  value = var.x\n}\n")},
		})
	}
	c, diags := Load(dir(source), Options{Partial: true})
	if len(diags) != 2 || diags.HasErrors() || diags[0].Summary != noVariableValue {
		t.Fatal(describeAll(c.Dir, diags))
	}
	c, diags = Load(dir(source+"node \"three\" {\n  address = \"x\"\n  memory = 3\n compute = \"1GFLOPS\"\n}\n"), Options{Partial: true})
	if len(diags) != 3 || diags[2].Summary != invalidQuantity {
		t.Error(describeAll(c.Dir, diags))
	}
	if c, diags = Load(dir(source), Options{}); len(diags) != 2 || !diags.HasErrors() {
		t.Error(describeAll(c.Dir, diags))
	}
}
