package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/edgeplan/edgeplan/internal/version"
)

// Names of the files in a configuration folder.
const (
	StateFile     = "edgeplan.state.json"
	BackupFile    = StateFile + ".backup"
	EmergencyFile = "errored." + StateFile
)

// Manager reads and records the state of one configuration folder. Its methods
// may be called from several goroutines.
type Manager struct {
	dir   string
	files fileSystem

	mu       sync.Mutex
	seen     *generation // what the file was when last read or written; nil before
	backedUp bool        // the backup holds the state before this run
	errored  bool        // the emergency file is of this run
}

// generation identifies one content of the state file. The zero value is no file.
type generation struct {
	lineage string
	serial  uint64
}

func (g generation) String() string {
	if g == (generation{}) {
		return "no state"
	}
	return fmt.Sprintf("serial %d of lineage %s", g.serial, g.lineage)
}

// Open gives the manager of the state in a configuration folder. It reads nothing.
func Open(dir string) *Manager { return &Manager{dir: dir, files: osFiles{}} }

// Path of the state file.
func (m *Manager) Path() string { return filepath.Join(m.dir, StateFile) }

func (m *Manager) backupPath() string    { return filepath.Join(m.dir, BackupFile) }
func (m *Manager) emergencyPath() string { return filepath.Join(m.dir, EmergencyFile) }

// Load reads the state. Where there is no file yet it gives a New state, whose
// serial is 0.
func (m *Manager) Load() (*State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	state, content, err := m.read()
	if err != nil {
		return nil, err
	}
	if err := m.checkEmergency(state, content); err != nil {
		return nil, err
	}
	m.seen = generationOf(state)
	if state == nil {
		state = New()
	}
	return state, nil
}

// read gives the state and the bytes of the file, nil where there is none.
func (m *Manager) read() (*State, []byte, error) {
	content, err := m.files.ReadFile(m.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the state: %w", err)
	}
	state, err := Parse(m.Path(), content)
	if err != nil {
		return nil, nil, err
	}
	return state, content, nil
}

func generationOf(s *State) *generation {
	if s == nil || s.Serial == 0 {
		return &generation{}
	}
	return &generation{lineage: s.Lineage, serial: s.Serial}
}

// checkEmergency refuses to go on from a state while a failed run's emergency
// file knows more about the devices.
func (m *Manager) checkEmergency(state *State, content []byte) error {
	emergency, err := m.files.ReadFile(m.emergencyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what a failed run left: %w", err)
	}
	if bytes.Equal(emergency, content) {
		return nil
	}
	left, err := Parse(m.emergencyPath(), emergency)
	if err != nil {
		return nil // no state that could be lost
	}
	if state != nil && (state.Lineage != left.Lineage || state.Serial > left.Serial) {
		return nil
	}
	return fmt.Errorf("%w: %s holds serial %d, and %s holds %s; move the first over the second to go on from it, or remove it",
		ErrUnfinished, m.emergencyPath(), left.Serial, m.Path(), generationOf(state))
}

// Record writes a state with the next serial, which it sets in s. It refuses
// when the file is no longer what this manager last read or wrote. The first
// write keeps the content before it in the backup file. A state that cannot be
// written goes to the emergency file, and the error is a *WriteError.
func (m *Manager) Record(s *State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := checkLineage(s.Lineage); err != nil {
		return fmt.Errorf("cannot record the state: %w", err)
	}
	if m.seen == nil {
		m.seen = generationOf(s)
	}
	next := *s
	next.FormatVersion, next.EdgeplanVersion, next.Serial = FormatVersion, version.Version, m.seen.serial+1
	content, err := EncodeState(&next)
	if err != nil {
		return err
	}
	replaced, err := m.write(generation{s.Lineage, next.Serial}, content)
	if replaced {
		m.seen = generationOf(&next)
		s.FormatVersion, s.EdgeplanVersion, s.Serial = next.FormatVersion, next.EdgeplanVersion, next.Serial
	}
	if err != nil {
		return m.saveEmergency(content, err)
	}
	m.dropEmergency()
	return nil
}

// write makes content the state file, if the file is what it was when last seen.
func (m *Manager) write(next generation, content []byte) (replaced bool, err error) {
	current, before, err := m.read()
	if err != nil {
		return false, err
	}
	found := *generationOf(current)
	if found != *m.seen || found.serial > 0 && found.lineage != next.lineage {
		return false, fmt.Errorf("%w: this run goes on from %s, and the file now holds %s", ErrMoved, *m.seen, found)
	}
	if before != nil && !m.backedUp {
		if _, err := replace(m.files, m.backupPath(), before); err != nil {
			return false, fmt.Errorf("keep the state before this run: %w", err)
		}
		m.backedUp = true
	}
	return replace(m.files, resolve(m.Path()), content)
}

// resolve follows a symbolic link, so that the file behind it is replaced and
// the link stays.
func resolve(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

func (m *Manager) saveEmergency(content []byte, cause error) error {
	problem := &WriteError{Path: m.Path(), Content: content, Err: cause}
	written, err := replace(m.files, m.emergencyPath(), content)
	if written {
		problem.Emergency = m.emergencyPath()
		m.errored = true
	}
	problem.EmergencyErr = err
	return problem
}

// dropEmergency removes this run's emergency file once the state itself is written.
func (m *Manager) dropEmergency() {
	if m.errored && m.files.Remove(m.emergencyPath()) == nil {
		m.errored = false
	}
}
