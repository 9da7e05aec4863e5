package statefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/edgeplan/edgeplan/internal/version"
)

// Names of the files in a configuration folder.
const (
	StateFile     = "edgeplan.state.json"
	BackupFile    = StateFile + backupSuffix
	EmergencyFile = "errored." + StateFile

	backupSuffix = ".backup"
)

// Manager reads and records the state of one configuration folder. Its methods
// may be called from several goroutines.
type Manager struct {
	backend Backend
	dir     string     // where the emergency file goes
	files   fileSystem // of the emergency file

	mu      sync.Mutex
	seen    *generation // what the state was when last read or written; nil before
	doubt   *attempt    // the last write, when nobody knows whether it came to pass
	errored bool        // the emergency file is of this run
	passed  string      // about an emergency file that the state has passed; ""
}

// generation identifies one content of the state. The zero value is no state.
type generation struct {
	lineage string
	serial  uint64
}

// attempt is a write whose outcome is not known.
type attempt struct {
	generation
	content []byte
}

func (g generation) String() string {
	if g == (generation{}) {
		return "no state"
	}
	return fmt.Sprintf("serial %d of lineage %s", g.serial, g.lineage)
}

// Open gives the manager of the state that is a file in the configuration folder.
// It reads nothing.
func Open(dir string) *Manager { return OpenBackend(dir, Local(filepath.Join(dir, StateFile))) }

// OpenBackend gives the manager of a configuration folder's state that a backend
// keeps. It reads nothing.
func OpenBackend(dir string, backend Backend) *Manager {
	return &Manager{backend: backend, dir: dir, files: systemFiles()}
}

// Location names the state for people.
func (m *Manager) Location() string { return m.backend.Location() }

// Load reads the state. Where there is none yet it gives a New state, whose
// serial is 0.
func (m *Manager) Load(ctx context.Context) (*State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	state, snapshot, err := m.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.checkEmergency(state, snapshot.Content); err != nil {
		return nil, err
	}
	m.seen = generationOf(state)
	if state == nil {
		state = New()
	}
	return state, nil
}

// read gives the state, nil where there is none, and what it was read from.
func (m *Manager) read(ctx context.Context) (*State, Snapshot, error) {
	snapshot, err := m.backend.Read(ctx)
	if err != nil || snapshot.Content == nil {
		return nil, snapshot, err
	}
	state, err := Parse(m.Location(), snapshot.Content)
	return state, snapshot, err
}

func generationOf(s *State) *generation {
	if s == nil || s.Serial == 0 {
		return &generation{}
	}
	return &generation{lineage: s.Lineage, serial: s.Serial}
}

// Record writes a state with the next serial, which it sets in s. It refuses
// when the state is no longer what this manager last read or wrote. A state that
// cannot be written goes to the emergency file, and the error is a *WriteError.
// It does not end with a context: what is done on devices has to be recorded.
func (m *Manager) Record(s *State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := checkLineage(s.Lineage); err != nil {
		return fmt.Errorf("cannot record the state: %w", err)
	}
	if m.seen == nil {
		m.seen = generationOf(s)
	}
	return m.record(context.Background(), s)
}

func (m *Manager) record(ctx context.Context, s *State) error {
	current, before, readErr := m.read(ctx)
	if m.doubt != nil && readErr == nil {
		m.settle(before.Content)
	}
	next := *s
	next.FormatVersion, next.EdgeplanVersion, next.Serial = FormatVersion, version.Version, m.lastSerial()+1
	content, err := EncodeState(&next)
	if err != nil {
		return err
	}
	if readErr == nil {
		readErr = m.unmoved(current, &next)
	}
	if readErr != nil {
		return m.saveEmergency(content, readErr)
	}
	m.doubt = &attempt{*generationOf(&next), content}
	err = m.backend.Write(ctx, content, before)
	if err == nil || m.stands(ctx, err) {
		s.FormatVersion, s.EdgeplanVersion, s.Serial = next.FormatVersion, next.EdgeplanVersion, next.Serial
	}
	if err != nil {
		return m.saveEmergency(content, err)
	}
	m.settle(content)
	m.dropEmergency()
	return nil
}

// lastSerial is the highest serial that may stand in the state.
func (m *Manager) lastSerial() uint64 {
	if m.doubt != nil {
		return m.doubt.serial
	}
	return m.seen.serial
}

// settle ends the doubt about a write: content is what stands in the state now.
func (m *Manager) settle(content []byte) {
	if bytes.Equal(content, m.doubt.content) {
		m.seen = &m.doubt.generation
	}
	m.doubt = nil
}

// unmoved says whether the state that was read is what it was when last seen.
func (m *Manager) unmoved(current, next *State) error {
	found := *generationOf(current)
	if found != *m.seen || found.serial > 0 && found.lineage != next.Lineage {
		return fmt.Errorf("%w: this run goes on from %s, and the state is now %s", ErrMoved, *m.seen, found)
	}
	return nil
}

// stands says whether what was written is the state although an error came: an
// answer may be lost, and a file replaced before its folder cannot be synced.
func (m *Manager) stands(ctx context.Context, failure error) bool {
	if errors.Is(failure, ErrMoved) {
		m.doubt = nil
		return false
	}
	now, err := m.backend.Read(ctx)
	if err != nil {
		return false
	}
	written := bytes.Equal(now.Content, m.doubt.content)
	m.settle(now.Content)
	return written
}
