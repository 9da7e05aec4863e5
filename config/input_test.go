package config

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"
)

// TestVariablePrecedence gives one variable a value at every level up to one,
// from the lowest to the highest.
func TestVariablePrecedence(t *testing.T) {
	files := []txtar.File{
		{Name: "main.edgeplan.hcl", Data: []byte("variable \"v\" {\n  type = string\n default = \"default\"\n}\noutput \"v\" {\n  value = var.v\n}\n")},
		{Name: "named.hcl", Data: []byte(`v = "named file"`)},
	}
	levels := []struct {
		want string
		file txtar.File
		add  func(dir string, o *Options)
	}{
		{want: "default"},
		{want: "environment", add: func(_ string, o *Options) { o.Environment = []string{"EDGEPLAN_VAR_v=environment", "OTHER=1"} }},
		{want: "vars file", file: txtar.File{Name: "edgeplan.vars.hcl", Data: []byte(`v = "vars file"`)}},
		{want: "vars JSON", file: txtar.File{Name: "edgeplan.vars.json", Data: []byte(`{"v": "vars JSON"}`)}},
		{want: "auto a", file: txtar.File{Name: "a.auto.vars.hcl", Data: []byte(`v = "auto a"`)}},
		{want: "auto b", file: txtar.File{Name: "b.auto.vars.hcl", Data: []byte(`v = "auto b"`)}},
		{want: "auto b JSON", file: txtar.File{Name: "b.auto.vars.json", Data: []byte(`{"v": "auto b JSON"}`)}},
		{want: "-var", add: func(_ string, o *Options) {
			o.Variables = append(o.Variables, VariableInput{Name: "v", Value: "-var"})
		}},
		{want: "named file", add: func(dir string, o *Options) {
			o.Variables = append(o.Variables, VariableInput{File: filepath.Join(dir, "named.hcl")})
		}},
		{want: "last -var", add: func(_ string, o *Options) {
			o.Variables = append(o.Variables, VariableInput{Name: "v", Value: "last -var"})
		}},
	}
	var adds []func(string, *Options)
	for _, level := range levels {
		if level.file.Name != "" {
			files = append(files, level.file)
		}
		if level.add != nil {
			adds = append(adds, level.add)
		}
		dir, o := folder(t, files), Options{}
		for _, add := range adds {
			add(dir, &o)
		}
		c, diags := Load(dir, o)
		outputs, _ := c.EvalOutputs(nil)
		if len(diags) > 0 || len(outputs) != 1 || outputs[0].Value != cty.StringVal(level.want) {
			t.Errorf("want %q, got %v, %v", level.want, outputs, diags)
		}
	}
}

func TestVariableTypes(t *testing.T) {
	source := `
variable "v" {
  type     = TYPE
  nullable = true
}
output "v" {
  value = jsonencode(var.v)
}
`
	tests := []struct{ ty, text, want string }{
		{"string", "[not parsed]", `"[not parsed]"`},
		{"number", "1.5", `1.5`},
		{"bool", "true", `true`},
		{"list(string)", `["a", "b"]`, `["a","b"]`},
		{"set(number)", `[2, 1, 2]`, `[1,2]`},
		{"map(number)", `{a = 1}`, `{"a":1}`},
		{"object({a = number, b = optional(string, \"x\")})", `{a = 1}`, `{"a":1,"b":"x"}`},
		{"any", `[1, "a"]`, `[1,"a"]`},
		{"list(string)", `null`, `null`},
	}
	for _, test := range tests {
		text := []byte(source)
		text = []byte(replaceOnce(string(text), "TYPE", test.ty))
		c, diags := load(t, string(text), Options{Variables: []VariableInput{{Name: "v", Value: test.text}}})
		outputs, _ := c.EvalOutputs(nil)
		if len(diags) > 0 || outputs[0].Value.AsString() != test.want {
			t.Errorf("%s = %s gave %v, %v", test.ty, test.text, outputs, diags)
		}
	}
}

// TestSensitiveOutput shows that a sensitive value may leave only through an
// output that says so.
func TestSensitiveOutput(t *testing.T) {
	source := "variable \"v\" {\n  sensitive = true\n  default = \"hunter2\"\n}\noutput \"v\" {\n  value = { a = var.v }\n  sensitive = true\n}\n"
	outputs, diags := mustLoad(t, source).EvalOutputs(nil)
	if len(diags) > 0 || !outputs[0].Sensitive || outputs[0].Value.ContainsMarked() {
		t.Errorf("%v %v", outputs, diags)
	}
}
