package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// Extension ends the name of a configuration file, and JSONExtension that of
// one in HCL's JSON syntax.
const (
	Extension     = ".edgeplan.hcl"
	JSONExtension = ".edgeplan.json"
)

// Options of Load.
type Options struct {
	// Variables are -var and -var-file in the order of the command line; later
	// ones win, and all of them win over files and the environment.
	Variables []VariableInput
	// Environment is as os.Environ gives it; EDGEPLAN_VAR_name sets a variable.
	Environment []string
	// Version of this edgeplan, as "0.1.0", for required_version; "" checks nothing.
	Version string
	// Partial lets variables be without a value, with a warning: what depends on
	// them is not checked, and the Config is not to be planned from.
	Partial bool
}

// VariableInput is one -var or -var-file of the command line.
type VariableInput struct {
	Name, Value string // -var Name=Value
	File        string // -var-file File; when set, Name and Value are not used
}

// Load reads and checks the configuration folder dir. It reports every fault at
// once, in order of file and line; but what CheckMeasured tells only beside other
// errors, since much works without. The Config is never nil: with errors, only
// its Sources may be used, to print the diagnostics with their snippets.
func Load(dir string, o Options) (*Config, hcl.Diagnostics) {
	l := newLoader(dir)
	l.load(o)
	if l.diags.HasErrors() {
		l.add(errorsOf(l.config.CheckMeasured(func(*Node) bool { return true }))...)
	}
	return l.config, l.finish()
}

// loader carries one Load from files to a Config.
type loader struct {
	*report
	config *Config
	loaded int // modules
}

func newLoader(dir string) *loader {
	return &loader{
		report: &report{},
		config: &Config{
			Dir:      dir,
			Settings: Settings{ReplanThreshold: defaultReplanThreshold, KeepReleases: defaultKeepReleases},
			Sources:  map[string]*hcl.File{},
		},
	}
}

func (l *loader) load(o Options) {
	l.readMeasurements()
	root := newModule(nil, nil, l.config.Dir)
	if !l.loadModule(root) {
		return
	}
	values := l.variableValues(root, o)
	l.keepSecrets(values)
	order := l.order(root)

	e := newEvaluator(l, root, o.Version)
	e.order = order
	for address, value := range values {
		e.root().values[address] = value
	}
	for _, d := range order {
		e.evaluate(d)
	}
	e.complete()
}

var errNoFiles = errors.New("no configuration files")

// configurationFiles names the files of a folder in order. It is errNoFiles when
// there is none.
func configurationFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && isConfiguration(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		return nil, errNoFiles
	}
	slices.Sort(names)
	return names, nil
}

// HasNoFiles says whether the folder dir can be read and holds no configuration.
func HasNoFiles(dir string) bool {
	_, err := configurationFiles(dir)
	return errors.Is(err, errNoFiles)
}

func isConfiguration(name string) bool {
	return !strings.HasPrefix(name, ".") && name != measurement.FileName && (strings.HasSuffix(name, Extension) || strings.HasSuffix(name, JSONExtension))
}

// parseAll reads the files; it is false when any of them is broken.
func (l *loader) parseAll(dir string, names []string) ([]hcl.Body, bool) {
	var bodies []hcl.Body
	sound := true
	for _, name := range names {
		file, ok := l.parse(filepath.Join(dir, name))
		if !ok {
			sound = false
			continue
		}
		bodies = append(bodies, file.Body)
	}
	return bodies, sound
}
