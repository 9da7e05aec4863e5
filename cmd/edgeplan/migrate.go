package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/statefile/backend"
)

// migration are the options of init about where the state is kept.
type migration struct {
	migrate, reconfigure, forceCopy, input bool
	lockTimeout                            time.Duration
	given                                  backendOptions
}

func (m *migration) add(flags *flag.FlagSet) {
	flags.BoolVar(&m.migrate, "migrate-state", false, "take the state along to where the configuration now keeps it")
	flags.BoolVar(&m.reconfigure, "reconfigure", false, "use what is where the configuration now keeps the state, and leave the old state alone")
	flags.BoolVar(&m.forceCopy, "force-copy", false, "answer yes to the questions of -migrate-state")
	flags.BoolVar(&m.input, "input", true, "-input=false fails instead of asking")
	flags.DurationVar(&m.lockTimeout, "lock-timeout", 0, "wait for the locks of both states for this `TIME`, as 30s")
	flags.Func("backend-config", "`NAME=VALUE` of the backend, or a file of such lines; may be repeated", m.given.set)
}

// initBackend brings into use the backend that the configuration has.
func (c *cli) initBackend(ctx context.Context, m migration) error {
	if m.migrate && m.reconfigure {
		return errors.New("-migrate-state takes the state along and -reconfigure leaves it: choose one")
	}
	configured, block, err := c.configuredBackend()
	if fault := (*backendFault)(nil); errors.As(err, &fault) {
		return c.check(fault.diags, fault.sources)
	}
	if err != nil {
		return err
	}
	next := backend.Record{Configured: configured, Files: m.given.files}
	if next.Settings, err = c.effective(configured, block, m.given); err != nil {
		return err
	}
	to, err := c.openState(ctx, next.Settings)
	if err != nil {
		return place(block, err)
	}
	return c.switchBackend(ctx, m, next, to)
}

// place adds where the backend block stands to each fault in it.
func place(block *config.Backend, err error) error {
	if block == nil {
		return err
	}
	return fmt.Errorf("%s: %w", block.Range, err)
}

// effective are the settings of the block with what -backend-config adds.
func (c *cli) effective(configured backend.Settings, block *config.Backend, given backendOptions) (backend.Settings, error) {
	if block == nil && (len(given.attributes) > 0 || len(given.files) > 0) {
		return configured, errors.New("-backend-config adds to a backend block, and the configuration has none: write edgeplan { backend \"s3\" {} }")
	}
	s := backend.Settings{Type: configured.Type, Attributes: map[string]string{}}
	maps.Copy(s.Attributes, configured.Attributes)
	if err := c.addFiles(&s, given.files); err != nil {
		return s, err
	}
	maps.Copy(s.Attributes, given.attributes)
	return s, nil
}

// switchBackend goes from the backend in use to the next one.
func (c *cli) switchBackend(ctx context.Context, m migration, next backend.Record, to *statefile.Manager) error {
	record, err := backend.Recall(c.workDir())
	if err != nil && !m.reconfigure {
		return err
	}
	first := record == nil
	if first {
		record = &backend.Record{}
	}
	if m.reconfigure || record.Settings.Equal(next.Settings) {
		return c.remember(next, m)
	}
	if !first && !m.migrate && !m.forceCopy {
		return backendChanged(record.Settings, next.Settings)
	}
	current := withSecrets(record.Settings, next.Settings)
	if record.Settings.Type != next.Settings.Type {
		current = record.Settings
	}
	if err := c.addFiles(&current, record.Files); err != nil {
		return err
	}
	from, err := c.openState(ctx, current)
	if err != nil {
		return fmt.Errorf("the backend that is in use until now: %w", err)
	}
	return c.migrate(ctx, m, next, from, to)
}

// remember records the backend in use, and says what a later command needs.
func (c *cli) remember(r backend.Record, m migration) error {
	if r.Settings.Type == "" {
		return backend.Forget(c.workDir())
	}
	for _, name := range (backend.Settings{Type: r.Settings.Type, Attributes: m.given.attributes}).Secrets() {
		c.notef("%s %s is not written down: later commands take it from %s.",
			c.paint(c.stderr, yellow, "Note:"), name, backend.Variable(r.Settings.Type, name))
	}
	if !r.Settings.Locks(os.Getenv) {
		c.notef("%s Without lock_address there is no lock: nothing keeps two applies at once apart.", c.paint(c.stderr, yellow, "Warning:"))
	}
	return backend.Remember(c.workDir(), r)
}

// migrate copies the state, with both sides locked, and then uses the new place.
func (c *cli) migrate(ctx context.Context, m migration, next backend.Record, from, to *statefile.Manager) error {
	if sameFile(from.Location(), to.Location()) {
		return c.remember(next, m) // one file under two names needs no copy, and has one lock
	}
	return c.locked(ctx, from, "init", m.lockTimeout, func() error {
		return c.locked(ctx, to, "init", m.lockTimeout, func() error {
			copied, err := c.copyState(ctx, m, from, to)
			if err != nil {
				return err
			}
			if err := c.remember(next, m); err != nil || !copied {
				return err
			}
			c.notef("The state is now in %s.", to.Location())
			return c.retire(from)
		})
	})
}

// sameFile says whether two paths are of one file, which may not be there yet.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// copyState asks and copies. It says whether the new place holds the old state now.
func (c *cli) copyState(ctx context.Context, m migration, from, to *statefile.Manager) (bool, error) {
	source, err := from.Pull(ctx)
	if err != nil || source == nil {
		return false, err
	}
	target, err := to.Pull(ctx)
	if err != nil || bytes.Equal(source, target) {
		return err == nil, err
	}
	question, err := migrationQuestion(from, to, source, target)
	if err != nil {
		return false, err
	}
	if yes, err := c.answer(ctx, m, question); err != nil || !yes {
		return false, err
	}
	state, err := statefile.Parse(from.Location(), source)
	if err != nil {
		return false, err
	}
	return true, to.Push(ctx, state, true)
}

func migrationQuestion(from, to *statefile.Manager, source, target []byte) (string, error) {
	old, err := statefile.Parse(from.Location(), source)
	if err != nil {
		return "", err
	}
	question := fmt.Sprintf("Do you want to copy the state to the new backend?\n  %s holds serial %d, and there is no state yet in %s.", from.Location(), old.Serial, to.Location())
	if target != nil {
		question = fmt.Sprintf("Do you want to overwrite the state in the new backend?\n  %s holds serial %d of lineage %s,\n  %s holds %s.\n  No goes on from the second.",
			from.Location(), old.Serial, old.Lineage, to.Location(), describeTarget(to.Location(), target))
	}
	return question, nil
}

func describeTarget(location string, content []byte) string {
	state, err := statefile.Parse(location, content)
	if err != nil {
		return "what is no state (" + err.Error() + ")"
	}
	return fmt.Sprintf("serial %d of lineage %s", state.Serial, state.Lineage)
}

func (c *cli) answer(ctx context.Context, m migration, question string) (bool, error) {
	if m.forceCopy {
		return true, nil
	}
	if !m.input {
		return false, errors.New("where the state is kept changes, and -input=false forbids asking about it: give -force-copy to take the state along, or -reconfigure to leave it")
	}
	answer, err := c.prompt(ctx, question+"\n  Answer `yes` or `no`.")
	switch {
	case err != nil:
		return false, err
	case answer != "yes" && answer != "no":
		return false, fmt.Errorf("%q is neither yes nor no: nothing was changed", answer)
	}
	return answer == "yes", nil
}

// retire moves a state file out of the way that is kept elsewhere now, so that
// nobody goes on from it.
func (c *cli) retire(from *statefile.Manager) error {
	path := from.Location()
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil // it is on a server, which keeps it
	}
	if err := os.Rename(path, path+".backup"); err != nil {
		return fmt.Errorf("the state was copied, and the old file cannot be moved away: %w", err)
	}
	c.notef("%s was renamed to %s.backup.", path, path)
	return nil
}
