package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

const (
	// maxModules bounds the module blocks of a configuration, nested ones counted
	// each time: two modules that each hold two, and so on, grow fast.
	maxModules = 1000

	moduleSource        = "source"
	moduleNotFound      = "Module not found"
	moduleSourceExample = `source = "./modules/site"`
)

// module is one folder of blocks as written: the root, or what a module block
// names. With for_each or count it is still one module, with several frames.
type module struct {
	parent *module      // nil for the root
	call   *declaration // the module block; nil for the root
	dir    string

	order     []*declaration // as written, files in order of name
	byAddress map[address]*declaration
	variables []*variable        // as written
	children  map[string]*module // by name of the module block
}

func newModule(parent *module, call *declaration, dir string) *module {
	return &module{parent: parent, call: call, dir: dir, byAddress: map[address]*declaration{}, children: map[string]*module{}}
}

// prefix begins the names of what the module declares: "module.site." or "".
func (m *module) prefix() string {
	if m.parent == nil {
		return ""
	}
	return m.call.String() + "."
}

// names of one kind, sorted.
func (m *module) names(kind string) []string {
	var names []string
	for _, d := range m.order {
		if d.kind == kind {
			names = append(names, d.name)
		}
	}
	slices.Sort(names)
	return names
}

// variable is the declared variable of a name, or nil.
func (m *module) variable(name string) *variable {
	for _, v := range m.variables {
		if v.name == name {
			return v
		}
	}
	return nil
}

// loadModule reads the folder of a module and those of the modules in it. It is
// false when a file is broken: what it lacks would only cause more errors. A
// module block whose folder cannot be told has no child.
func (l *loader) loadModule(m *module) bool {
	l.loaded++
	names, err := configurationFiles(m.dir)
	if err != nil {
		l.noFiles(m, err)
		return m.parent != nil
	}
	bodies, sound := l.parseAll(m.dir, names)
	if !sound {
		return false
	}
	l.declare(m, bodies)
	for _, d := range m.order {
		if d.kind == kindModule {
			sound = l.loadChild(m, d) && sound
		}
	}
	return sound
}

// loadChild reads the folder that a module block names, and checks its inputs.
func (l *loader) loadChild(parent *module, d *declaration) bool {
	attr := d.source
	if attr == nil {
		l.fault(&d.rng, missingArgument, "%s has no source. Add a line such as:\n  %s", d, moduleSourceExample)
		return true
	}
	dir, ok := l.moduleDir(parent, attr)
	if !ok {
		return true
	}
	child := newModule(parent, d, dir)
	at := attr.Expr.Range().Ptr()
	if cycle := parent.containing(dir); cycle != "" {
		l.fault(at, "Cycle", "%s is the folder of %s, which contains %s: a module cannot contain itself. Name another folder.", d, cycle, d)
		return true
	}
	if l.loaded >= maxModules {
		l.fault(at, "Too many modules", "The configuration has more than %d modules in modules. Use for_each or count instead of blocks.", maxModules)
		return true
	}
	if !l.loadModule(child) {
		return false
	}
	parent.children[d.name] = child
	l.checkInputs(child)
	return true
}

// containing is the module of the chain of parents whose folder is dir, or "".
func (m *module) containing(dir string) string {
	for ; m != nil; m = m.parent {
		switch {
		case !sameFolder(m.dir, dir):
		case m.parent == nil:
			return "the whole configuration"
		default:
			return m.call.String()
		}
	}
	return ""
}

func sameFolder(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// moduleDir finds the folder of a module; its source is relative to the folder
// of the file that names it.
func (l *loader) moduleDir(parent *module, attr *hcl.Attribute) (string, bool) {
	value, ok := l.constantAttribute(attr, cty.String)
	if !ok {
		return "", false
	}
	source, at := value.AsString(), attr.Expr.Range().Ptr()
	dir, err := expandPath(parent.dir, source)
	if err != nil {
		l.fault(at, invalidValue, "source %v.", err)
		return "", false
	}
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return relativeTo(l.config.Dir, dir), true
	case strings.Contains(source, "::") || strings.Contains(source, "://") || strings.HasPrefix(source, "github.com/"):
		l.fault(at, moduleNotFound, "%q is not on this machine, and a module is a local folder. Put a copy beside the configuration, as with git submodule, and write %s.", source, moduleSourceExample)
	default:
		l.fault(at, moduleNotFound, "There is no folder %q. source is relative to the folder of the file it stands in; correct it, as in %s.", source, moduleSourceExample)
	}
	return "", false
}

// relativeTo writes a folder as seen from the configuration, so that messages
// are the same wherever it lies.
func relativeTo(root, dir string) string {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return dir
	}
	relative, err := filepath.Rel(absolute, dir)
	if err != nil {
		return dir
	}
	return filepath.Join(root, relative)
}

// noFiles reports a folder that cannot be read or has no configuration.
func (l *loader) noFiles(m *module, err error) {
	none := fmt.Sprintf("The folder %q has no file that ends in %s or %s.", m.dir, Extension, JSONExtension)
	if m.call != nil {
		if err != errNoFiles {
			none = err.Error() + "."
		}
		l.fault(m.call.source.Expr.Range().Ptr(), moduleNotFound, "%s Name the folder that holds the module's files.", none)
		return
	}
	if err != errNoFiles {
		l.fault(nil, "Configuration folder cannot be read",
			"%v. Run edgeplan in the folder that holds your *%s files, or name it: edgeplan -chdir=DIR.", err, Extension)
		return
	}
	l.fault(nil, "No configuration files", "%s Write one (see examples/), or name another folder: edgeplan -chdir=DIR.", none)
}

// checkInputs holds the arguments of a module block against its variables.
func (l *loader) checkInputs(child *module) {
	d := child.call
	var names []string
	for _, v := range child.variables {
		names = append(names, v.name)
		if v.def == cty.NilVal && d.inputs[v.name] == nil {
			l.fault(&d.rng, "Missing input", "%s needs a value for %q, which %s declares without a default. Add a line %s = VALUE.", d, v.name, v.rng, v.name)
		}
	}
	slices.Sort(names)
	for name, attr := range d.inputs {
		if child.variable(name) == nil {
			l.fault(&attr.NameRange, "Unknown input", "%s has no variable %q. %s", d, name, inputHint(name, names, child.dir))
		}
	}
}

func inputHint(name string, variables []string, dir string) string {
	if hint := terraformHint(fmt.Sprintf("%q", name)); hint != "" {
		return hint
	}
	return didYouMean(name, variables, fmt.Sprintf("variable in %s", dir))
}
