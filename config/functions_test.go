package config

import (
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestFunctions evaluates expressions in a folder with a few files.
func TestFunctions(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	for expr, want := range map[string]string{
		`length("äb")`:                               `2`,
		`length({a = 1})`:                            `1`,
		`length([1, "a"])`:                           `2`,
		`sum([1, 2.5])`:                              `3.5`,
		`alltrue([true, false])`:                     `false`,
		`anytrue([])`:                                `false`,
		`startswith("node.pi", "node.")`:             `true`,
		`endswith("a", "b")`:                         `false`,
		`strcontains("abc", "b")`:                    `true`,
		`replace("a-b", "-", "+")`:                   `"a+b"`,
		`replace("a1b22", "/[0-9]+/", "#")`:          `"a#b#"`,
		`cidrhost("10.1.0.0/16", 258)`:               `"10.1.1.2"`,
		`cidrhost("10.0.0.0/24", -2)`:                `"10.0.0.254"`,
		`cidrhost("fd00::/64", 1)`:                   `"fd00::1"`,
		`trimspace(file("text.txt"))`:                `"hello"`,
		`fileexists("text.txt")`:                     `true`,
		`fileexists("gone.txt")`:                     `false`,
		`pathexpand("~/x")`:                          `"/home/operator/x"`,
		`basename(abspath("text.txt"))`:              `"text.txt"`,
		`dirname("/a/b")`:                            `"/a"`,
		`csvdecode(file("t.csv"))[1].b`:              `"say \"hi\""`,
		`csvdecode("a")`:                             `[]`,
		`yamldecode("a: [1, x]").a[1]`:               `"x"`,
		`try(file("gone.txt"), "none")`:              `"none"`,
		`can(regex("^x", "y"))`:                      `false`,
		`[for k, v in {b = 1, a = 2} : "${k}${v}"]`:  `["a2","b1"]`,
		`setproduct(["a"], ["x", "y"])[1]`:           `["a","y"]`,
		`merge({a = 1}, {b = 2}).b`:                  `2`,
		`base64decode(base64encode("ä"))`:            `"ä"`,
		`filebase64("text.txt")`:                     `"aGVsbG8K"`,
		`sha256("abc")`:                              `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`filemd5("text.txt")`:                        `"b1946ac92492d2347c6235b4d2611184"`,
		`sha1("abc")`:                                `"a9993e364706816aba3e25717850c26c9cd0d89d"`,
		`substr(sha512("abc"), 0, 8)`:                `"ddaf35a1"`,
		`urlencode("a b&c")`:                         `"a+b%26c"`,
		`cidrsubnet("10.0.0.0/8", 8, 3)`:             `"10.3.0.0/16"`,
		`cidrsubnet("fd00::/48", 16, 162)`:           `"fd00:0:0:a2::/64"`,
		`cidrnetmask("10.0.0.0/12")`:                 `"255.240.0.0"`,
		`cidrcontains("10.0.0.0/8", "10.9.1.2")`:     `true`,
		`cidrcontains("10.0.0.0/8", "8.0.0.0/5")`:    `false`,
		`index(["a", "b"], "b")`:                     `1`,
		`one([])`:                                    `null`,
		`one(toset(["a"]))`:                          `"a"`,
		`can(one([1, 2]))`:                           `false`,
		`transpose({a = ["x", "y"], b = ["x"]}).x`:   `["a","b"]`,
		`matchkeys(["a", "b"], [1, 2], [2])`:         `["b"]`,
		`issensitive(sensitive("x"))`:                `true`,
		`nonsensitive(sensitive({a = "x"})).a`:       `"x"`,
		`issensitive([1])`:                           `false`,
		`fileset(".", "t*.*")`:                       `["t.csv","text.txt","tmpl.txt"]`,
		`fileset("none", "*")`:                       `[]`,
		`templatefile("tmpl.txt", {who = "you"})`:    `"hello YOU!"`,
		`can(templatefile("tmpl.txt", {}))`:          `false`,
		`formatdate("YYYY", "2026-01-02T03:04:05Z")`: `"2026"`,
		`timeadd("2026-01-02T03:04:05Z", "1h")`:      `"2026-01-02T04:04:05Z"`,
		`path.module`:                                `"."`,
		`basename(path.cwd)`:                         `"config"`,
		`title("ab") == "Ab" ? upper("x") : "y"`:     `"X"`,
	} {
		dir := folder(t, []txtar.File{
			{Name: "main.edgeplan.hcl", Data: []byte("output \"o\" {\n  value = jsonencode(" + expr + ")\n}\n")},
			{Name: "text.txt", Data: []byte("hello\n")},
			{Name: "tmpl.txt", Data: []byte("hello ${upper(who)}!")},
			{Name: "t.csv", Data: []byte("\ufeffa,b\r\n1,2\r\n3,\"say \"\"hi\"\"\"\r\n")},
		})
		c, diags := Load(dir, Options{})
		outputs, _ := c.EvalOutputs(nil)
		if len(diags) > 0 || len(outputs) != 1 || outputs[0].Value.AsString() != want {
			t.Errorf("%s = %v, want %s %v", expr, outputs, want, diags)
		}
	}
}

// TestFunctionsOfUnknowns asks functions for what a plan will tell: they must not
// guess.
func TestFunctionsOfUnknowns(t *testing.T) {
	for _, expr := range []string{
		`index([model.m.throughput, 1], 1)`,
		`matchkeys(["a", "b"], [model.m.release, "x"], ["x"])`,
		`coalesce(model.m.release, "x")`,
		`sum([1, model.m.throughput])`,
		`anytrue([model.m.throughput > 1])`,
		`transpose({ a = [model.m.release] })`,
		`templatefile("main.edgeplan.hcl", { x = model.m.release }) == "" ? model.m.release : model.m.release`,
		`cidrhost("10.0.0.0/24", model.m.throughput)`,
		`one([model.m.throughput])`,
		`sensitive(model.m.release) == "x" ? 1 : 2`,
	} {
		c := mustLoad(t, nodeSource+"model \"m\" {\n  source = \"model.onnx\"\n}\noutput \"o\" {\n  sensitive = true\n  value = "+expr+"\n}\n")
		outputs, diags := c.EvalOutputs(nil)
		if len(diags) > 0 || len(outputs) != 1 || outputs[0].Value.IsWhollyKnown() {
			t.Errorf("%s = %#v %v", expr, outputs, diags)
		}
	}
}
