package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Extension ends the name of every configuration file.
const Extension = ".edgeplan.hcl"

// Options of Load.
type Options struct {
	// Variables are -var and -var-file in the order of the command line; later
	// ones win, and all of them win over files and the environment.
	Variables []VariableInput
	// Environment is as os.Environ gives it; EDGEPLAN_VAR_name sets a variable.
	Environment []string
	// Version of this edgeplan, as "0.1.0", for required_version; "" checks nothing.
	Version string
}

// VariableInput is one -var or -var-file of the command line.
type VariableInput struct {
	Name, Value string // -var Name=Value
	File        string // -var-file File; when set, Name and Value are not used
}

// Load reads and checks the configuration folder dir. It reports every fault at
// once, in order of file and line. The Config is never nil: with errors, only
// its Sources may be used, to print the diagnostics with their snippets.
func Load(dir string, o Options) (*Config, hcl.Diagnostics) {
	l := &loader{
		report: &report{},
		config: &Config{
			Dir:      dir,
			Settings: Settings{ReplanThreshold: defaultReplanThreshold},
			Sources:  map[string]*hcl.File{},
		},
	}
	l.load(o)
	return l.config, l.report.finish()
}

// loader carries one Load from files to a Config.
type loader struct {
	*report
	config *Config
}

func (l *loader) load(o Options) {
	names, ok := l.find()
	if !ok {
		return
	}
	bodies, ok := l.parseAll(names)
	if !ok {
		return // what is missing from a broken file would only cause more errors
	}
	decls := l.declare(bodies)
	values := l.variableValues(decls, o)
	l.keepSecrets(values)
	order := l.order(decls)

	e := newEvaluator(l, decls, o.Version)
	for address, value := range values {
		e.values[address] = value
	}
	for _, d := range order {
		e.evaluate(d)
	}
	e.finish()
}

// find names the configuration files in order.
func (l *loader) find() ([]string, bool) {
	entries, err := os.ReadDir(l.config.Dir)
	if err != nil {
		l.fault(nil, "Configuration folder cannot be read",
			"%v. Run edgeplan in the folder that holds your *%s files, or name it: edgeplan -chdir=DIR.", err, Extension)
		return nil, false
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), Extension) && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		l.fault(nil, "No configuration files",
			"The folder %q has no file that ends in %s. Write one (see examples/), or name another folder: edgeplan -chdir=DIR.", l.config.Dir, Extension)
		return nil, false
	}
	slices.Sort(names)
	return names, true
}

// parseAll reads the files; it is false when any of them is broken.
func (l *loader) parseAll(names []string) ([]hcl.Body, bool) {
	var bodies []hcl.Body
	sound := true
	for _, name := range names {
		file, ok := l.parse(filepath.Join(l.config.Dir, name))
		if !ok {
			sound = false
			continue
		}
		bodies = append(bodies, file.Body)
	}
	return bodies, sound
}
