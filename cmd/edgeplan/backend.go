package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/statefile/backend"
)

func (c *cli) workDir() string { return filepath.Join(c.dir, artifact.WorkDir) }

// state is the state of the folder: where init left it, if that is still where
// the configuration says. A folder whose configuration is gone or damaged keeps
// the state that is in use; where none is, and a damaged configuration may name a
// backend, no state is taken for an empty one.
func (c *cli) state(ctx context.Context) (*statefile.Manager, error) {
	settings, err := c.stateSettings()
	if err != nil {
		return nil, err
	}
	return c.openState(ctx, settings)
}

// stateSettings are the settings of the backend that is in use.
func (c *cli) stateSettings() (backend.Settings, error) {
	record, err := backend.Recall(c.workDir())
	if err != nil {
		return backend.Settings{}, err
	}
	configured, _, err := c.configuredBackend()
	if err != nil && record != nil {
		configured, err = record.Configured, nil
	}
	if err != nil && !config.HasNoFiles(c.dir) && !c.hasLocalState() {
		return backend.Settings{}, c.unknownPlace(err)
	}
	if err != nil {
		configured = backend.Settings{} // the command says what is wrong, if it needs the configuration
	}
	if record == nil {
		record = &backend.Record{}
	}
	if !configured.Equal(record.Configured) {
		return backend.Settings{}, backendChanged(record.Configured, configured)
	}
	settings := withSecrets(record.Settings, configured)
	return settings, c.addFiles(&settings, record.Files)
}

// hasLocalState says whether the folder has a state in its own file.
func (c *cli) hasLocalState() bool {
	_, err := os.Lstat(filepath.Join(c.dir, statefile.StateFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// unknownPlace is the error of a folder that may keep its state anywhere.
func (c *cli) unknownPlace(err error) error {
	const text = "it is not known where the state is kept while the configuration cannot be read: mend it, and run `edgeplan init` where it has a backend"
	if fault := (*backendFault)(nil); errors.As(err, &fault) {
		if err := c.check(fault.diags, fault.sources); !errors.As(err, new(*shownError)) {
			return err
		}
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, err)
}

// loadState reads the state of the folder without its lock.
func (c *cli) loadState(ctx context.Context) (*statefile.State, error) {
	states, err := c.state(ctx)
	if err != nil {
		return nil, err
	}
	return c.load(ctx, states)
}

// load reads the state, and warns of what a failed run has left beside it.
func (c *cli) load(ctx context.Context, states *statefile.Manager) (*statefile.State, error) {
	state, err := states.Load(ctx)
	if passed := states.Passed(); err == nil && passed != "" {
		c.notef("Warning: %s.", passed)
	}
	return state, err
}

func (c *cli) openState(ctx context.Context, s backend.Settings) (*statefile.Manager, error) {
	opened, err := backend.Open(ctx, c.dir, s, os.Getenv)
	if err != nil {
		return nil, err
	}
	return statefile.OpenBackend(c.dir, opened), nil
}

// backendChanged says that init has to run before the state is read.
func backendChanged(was, is backend.Settings) error {
	if was.Type == "" {
		return fmt.Errorf("the configuration keeps the state in backend %q, which is not in use yet: run `edgeplan init`", is.Type)
	}
	if is.Type == "" {
		is.Type = "local"
	}
	return fmt.Errorf("the configuration now keeps the state elsewhere (backend %q, it was %q): run `edgeplan init -migrate-state` to take "+
		"the state along, or `edgeplan init -reconfigure` to use what is there", is.Type, was.Type)
}

// withSecrets adds what is never written down from where it stands.
func withSecrets(s, from backend.Settings) backend.Settings {
	s.Attributes = maps.Clone(s.Attributes)
	if s.Attributes == nil {
		s.Attributes = map[string]string{}
	}
	for _, name := range from.Secrets() {
		s.Attributes[name] = from.Attributes[name]
	}
	return s
}

// addFiles adds the attributes in files of -backend-config.
func (c *cli) addFiles(s *backend.Settings, files []string) error {
	for _, file := range files {
		attributes, err := c.readBackendFile(file)
		if err != nil {
			return err
		}
		maps.Copy(s.Attributes, attributes)
	}
	return nil
}

// configuredBackend is the backend block of the configuration; of Type "" where
// there is none. The error is printed by init only.
func (c *cli) configuredBackend() (backend.Settings, *config.Backend, error) {
	block, sources, diags := config.LoadBackend(c.dir)
	if diags.HasErrors() {
		return backend.Settings{}, nil, &backendFault{diags, sources}
	}
	if block == nil {
		return backend.Settings{}, nil, nil
	}
	settings := backend.Settings{Type: block.Type, Attributes: map[string]string{}}
	for _, attribute := range block.Attributes {
		if attribute.Value.IsNull() {
			continue
		}
		text, err := attributeText(attribute.Value)
		if err != nil {
			return settings, block, fmt.Errorf("%s: %s: %w", attribute.Range, attribute.Name, err)
		}
		settings.Attributes[attribute.Name] = text
	}
	return settings, block, nil
}

// backendFault is a configuration whose backend block cannot be read.
type backendFault struct {
	diags   hcl.Diagnostics
	sources map[string]*hcl.File
}

func (e *backendFault) Error() string { return e.diags.Error() }

// attributeText is an argument as backends take it: lists and objects as JSON.
func attributeText(value cty.Value) (string, error) {
	if text, err := convert.Convert(value, cty.String); err == nil {
		return text.AsString(), nil
	}
	encoded, err := ctyjson.Marshal(value, value.Type())
	return string(encoded), err
}

// backendOptions are the -backend-config flags: attributes, and files of them.
type backendOptions struct {
	attributes map[string]string
	files      []string
}

func (o *backendOptions) set(text string) error {
	if name, value, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(name, "/.") {
		if o.attributes == nil {
			o.attributes = map[string]string{}
		}
		o.attributes[strings.TrimSpace(name)] = value
		return nil
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return errors.New("write NAME=VALUE, or the path of a file that is there")
	}
	o.files = append(o.files, path)
	return nil
}

// readBackendFile reads attributes in HCL.
func (c *cli) readBackendFile(path string) (map[string]string, error) {
	parser := hclparse.NewParser()
	file, diags := parser.ParseHCLFile(path)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s, which init was given with -backend-config, is gone: bring it back, or run `edgeplan init -reconfigure` with another one", path)
	}
	if err := c.check(diags, parser.Files()); err != nil {
		return nil, err
	}
	written, diags := file.Body.JustAttributes()
	attributes := map[string]string{}
	for name, attribute := range written {
		value, more := attribute.Expr.Value(nil)
		if diags = append(diags, more...); more.HasErrors() || value.IsNull() {
			continue
		}
		text, err := attributeText(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", attribute.Range, err)
		}
		attributes[name] = text
	}
	return attributes, c.check(diags, parser.Files())
}
