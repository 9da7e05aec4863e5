package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Names of what sets variables.
const (
	VariablesFile      = "edgeplan.vars.hcl"
	VariablesJSON      = "edgeplan.vars.json"
	AutoVariables      = ".auto.vars.hcl" // ending of files read without being named
	AutoVariablesJSON  = ".auto.vars.json"
	VariableEnvPrefix  = "EDGEPLAN_VAR_"
	invalidVariable    = "Invalid value for variable"
	undeclaredVariable = "Undeclared variable"
	noVariableValue    = "Variable has no value"
)

// input is one value given to a variable.
type input struct {
	text   string // of the environment or command line
	value  cty.Value
	at     *hcl.Range // nil for a text
	source string     // "-var fps", "EDGEPLAN_VAR_fps"
}

// inputs are the values given so far; a later one replaces an earlier one.
type inputs struct {
	*loader
	partial  bool // a variable may be without a value
	declared map[string]*variable
	given    map[string]input
}

// variableValues gives every variable its value, from the lowest source to the
// highest: environment, edgeplan.vars.hcl, *.auto.vars.hcl, command line. The two
// kinds of file may be JSON as well; of one name, JSON is the higher.
func (l *loader) variableValues(m *module, o Options) map[address]cty.Value {
	in := &inputs{loader: l, partial: o.Partial, declared: map[string]*variable{}, given: map[string]input{}}
	for _, v := range m.variables {
		in.declared[v.name] = v
	}
	in.environment(o.Environment)
	in.folder()
	in.commandLine(o.Variables)

	values := map[address]cty.Value{}
	for _, v := range m.variables {
		values[address{kindVariable, v.name}] = in.valueOf(v)
	}
	return values
}

func (in *inputs) environment(environment []string) {
	for _, entry := range environment {
		name, text, ok := strings.Cut(entry, "=")
		name, isVariable := strings.CutPrefix(name, VariableEnvPrefix)
		if ok && isVariable && in.declared[name] != nil {
			in.given[name] = input{text: text, source: VariableEnvPrefix + name}
		}
	}
}

func (in *inputs) folder() {
	entries, err := os.ReadDir(in.config.Dir)
	if err != nil {
		return // find has read the same folder
	}
	var first, auto []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == VariablesFile || name == VariablesJSON:
			first = append(first, name)
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, AutoVariables) || strings.HasSuffix(name, AutoVariablesJSON):
			auto = append(auto, name)
		}
	}
	slices.Sort(first)
	slices.Sort(auto)
	for _, name := range append(first, auto...) {
		in.file(filepath.Join(in.config.Dir, name))
	}
}

func (in *inputs) commandLine(variables []VariableInput) {
	for _, v := range variables {
		switch {
		case v.File != "":
			in.namedFile(v.File)
		case in.declared[v.Name] == nil:
			in.fault(nil, undeclaredVariable, "-var sets %q, and the configuration declares no such variable. %s", v.Name, in.suggest(v.Name))
		default:
			in.given[v.Name] = input{text: v.Value, source: "-var " + v.Name}
		}
	}
}

func (in *inputs) suggest(name string) string {
	return didYouMean(name, slices.Sorted(maps.Keys(in.declared)), "variable")
}

func (in *inputs) namedFile(path string) {
	if _, err := statRegular(path); err != nil {
		in.fault(nil, "Variables file cannot be read", "-var-file: %v. Correct the path; it is relative to the folder that edgeplan runs in.", err)
		return
	}
	in.file(path)
}

// file reads name = value lines.
func (in *inputs) file(path string) {
	file, ok := in.parse(path)
	if !ok {
		return
	}
	attributes, diags := file.Body.JustAttributes()
	in.add(diags...)
	for name, attr := range attributes {
		if in.declared[name] == nil {
			in.warn(&attr.NameRange, undeclaredVariable, "The configuration declares no variable %q, so this line has no effect. %s", name, in.suggest(name))
			continue
		}
		value, diags := attr.Expr.Value(nil)
		in.addConstantFaults("The value of a variable", diags)
		if diags.HasErrors() {
			value = cty.UnknownVal(in.declared[name].ty)
		}
		in.given[name] = input{value: value, at: attr.Expr.Range().Ptr(), source: path}
	}
}

// valueOf converts the value that won, or takes the default.
func (in *inputs) valueOf(v *variable) cty.Value {
	given, ok := in.given[v.name]
	if !ok {
		return in.defaultOf(v)
	}
	value, err := given.value, error(nil)
	if given.at == nil {
		value, err = v.parse(given.text)
	}
	if err == nil && v.useDefault(value) {
		return v.def
	}
	if err == nil {
		value, err = v.convert(value)
	}
	if err == nil {
		return value
	}
	at := given.at
	if at == nil {
		at = &v.rng
	}
	in.report.partial = true
	in.add(v.hide(newError(at, invalidVariable, "The value of var.%s from %s %v. The variable is declared at %s.", v.name, given.source, err, v.rng)))
	return cty.UnknownVal(v.ty)
}

func (in *inputs) defaultOf(v *variable) cty.Value {
	if v.def != cty.NilVal {
		return v.def
	}
	in.report.partial = true
	if in.partial {
		in.warn(&v.rng, noVariableValue, "var.%s has neither a value nor a default, so what depends on it is not checked. A plan needs it.", v.name)
		return cty.UnknownVal(v.ty)
	}
	in.fault(&v.rng, noVariableValue,
		"var.%[1]s has neither a value nor a default. Set it with -var %[1]s=VALUE, with a line %[1]s = VALUE in %[2]s, or with the environment variable %[3]s%[1]s.",
		v.name, VariablesFile, VariableEnvPrefix)
	return cty.UnknownVal(v.ty)
}

// parse reads the text of a value: as it is for a string, number or bool, and
// as an HCL expression for every other type.
func (v *variable) parse(text string) (cty.Value, error) {
	if v.text {
		return cty.StringVal(text), nil
	}
	problem := errors.New(`is no HCL expression for its type. Write one such as ["a", "b"] or {a = 1}, in single quotes for your shell`)
	if checkNesting("", []byte(text)) != nil {
		return cty.DynamicVal, problem
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, problem
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return cty.DynamicVal, problem
	}
	return value, nil
}
