package config

import (
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestFunctions evaluates expressions in a folder with a few files.
func TestFunctions(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	for expr, want := range map[string]string{
		`length("äb")`:                              `2`,
		`length({a = 1})`:                           `1`,
		`length([1, "a"])`:                          `2`,
		`sum([1, 2.5])`:                             `3.5`,
		`alltrue([true, false])`:                    `false`,
		`anytrue([])`:                               `false`,
		`startswith("node.pi", "node.")`:            `true`,
		`endswith("a", "b")`:                        `false`,
		`strcontains("abc", "b")`:                   `true`,
		`replace("a-b", "-", "+")`:                  `"a+b"`,
		`replace("a1b22", "/[0-9]+/", "#")`:         `"a#b#"`,
		`cidrhost("10.1.0.0/16", 258)`:              `"10.1.1.2"`,
		`cidrhost("10.0.0.0/24", -2)`:               `"10.0.0.254"`,
		`cidrhost("fd00::/64", 1)`:                  `"fd00::1"`,
		`trimspace(file("text.txt"))`:               `"hello"`,
		`fileexists("text.txt")`:                    `true`,
		`fileexists("gone.txt")`:                    `false`,
		`pathexpand("~/x")`:                         `"/home/operator/x"`,
		`basename(abspath("text.txt"))`:             `"text.txt"`,
		`dirname("/a/b")`:                           `"/a"`,
		`csvdecode(file("t.csv"))[1].b`:             `"say \"hi\""`,
		`csvdecode("a")`:                            `[]`,
		`yamldecode("a: [1, x]").a[1]`:              `"x"`,
		`try(file("gone.txt"), "none")`:             `"none"`,
		`can(regex("^x", "y"))`:                     `false`,
		`[for k, v in {b = 1, a = 2} : "${k}${v}"]`: `["a2","b1"]`,
		`setproduct(["a"], ["x", "y"])[1]`:          `["a","y"]`,
		`merge({a = 1}, {b = 2}).b`:                 `2`,
		`title("ab") == "Ab" ? upper("x") : "y"`:    `"X"`,
	} {
		dir := folder(t, []txtar.File{
			{Name: "main.edgeplan.hcl", Data: []byte("output \"o\" {\n  value = jsonencode(" + expr + ")\n}\n")},
			{Name: "text.txt", Data: []byte("hello\n")},
			{Name: "t.csv", Data: []byte("\ufeffa,b\r\n1,2\r\n3,\"say \"\"hi\"\"\"\r\n")},
		})
		c, diags := Load(dir, Options{})
		outputs, _ := c.EvalOutputs(nil)
		if len(diags) > 0 || len(outputs) != 1 || outputs[0].Value.AsString() != want {
			t.Errorf("%s = %v, want %s %v", expr, outputs, want, diags)
		}
	}
}
