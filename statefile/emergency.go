package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

func (m *Manager) emergencyPath() string { return filepath.Join(m.dir, EmergencyFile) }

// checkEmergency refuses to go on from a state while a failed run's emergency
// file knows more about the devices.
func (m *Manager) checkEmergency(state *State, content []byte) error {
	m.passed = ""
	emergency, err := m.files.ReadFile(m.emergencyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &FileError{Path: m.emergencyPath(), Doing: "read what a failed run left", Err: err}
	}
	if bytes.Equal(emergency, content) {
		return nil
	}
	left, err := Parse(m.emergencyPath(), emergency)
	if err != nil {
		return nil // no state that could be lost
	}
	if state != nil && state.Lineage != left.Lineage {
		return nil
	}
	if state != nil && state.Serial > left.Serial {
		m.passed = fmt.Sprintf("%s, which a failed run left, holds serial %d, and the state has gone on from another to serial %d, perhaps without what that run did on devices: "+
			"compare it with `edgeplan state pull` and remove it", EmergencyFile, left.Serial, state.Serial)
		return nil
	}
	return fmt.Errorf("%w: %s holds serial %d, and %s holds %s; `edgeplan state push %s` goes on from the first; remove that file to go on from the second",
		ErrUnfinished, m.emergencyPath(), left.Serial, m.Location(), generationOf(state), EmergencyFile)
}

// Passed says that the last Load found an emergency file that the state has passed, and
// what to do about it; "" when there was none. Another run may have gone on without
// knowing what the failed one did, or the failed one recorded it later: no file tells.
func (m *Manager) Passed() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.passed
}

// saveEmergency keeps a state that could not be recorded.
func (m *Manager) saveEmergency(content []byte, cause error) error {
	problem := &WriteError{Location: m.Location(), Content: content, Err: cause}
	err := replace(m.files, m.emergencyPath(), content)
	if m.holdsEmergency(content) {
		problem.Emergency = m.emergencyPath()
		m.errored = true
	}
	problem.EmergencyErr = err
	return problem
}

func (m *Manager) holdsEmergency(content []byte) bool {
	saved, err := m.files.ReadFile(m.emergencyPath())
	return err == nil && bytes.Equal(saved, content)
}

// dropEmergency removes this run's emergency file once the state itself is written.
func (m *Manager) dropEmergency() {
	if m.errored && m.files.Remove(m.emergencyPath()) == nil {
		m.errored = false
	}
}
