package statefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// What can speak against pushing a state.
var (
	// ErrOlder: what is pushed is older than what stands there.
	ErrOlder = errors.New("the pushed state is older")
	// ErrOtherLineage: what is pushed belongs to another deployment.
	ErrOtherLineage = errors.New("the pushed state is of another lineage")
)

// Push puts a state in the place of the recorded one. It refuses a state of
// another lineage, an older serial, and another content under the same serial,
// unless forced. A forced state of the same lineage gets the next serial, so that
// no plan made before goes on from it.
func (m *Manager) Push(ctx context.Context, s *State, force bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	given, err := EncodeState(s)
	if err != nil {
		return err
	}
	content := given
	current, before, err := m.read(ctx)
	if err != nil && !force {
		return err
	}
	if bytes.Equal(before.Content, content) {
		return m.pushed(given)
	}
	if err := checkPush(current, s); err != nil && !force {
		return fmt.Errorf("%s: %w", m.Location(), err)
	}
	if current != nil && current.Lineage == s.Lineage && s.Serial <= current.Serial {
		s.Serial = current.Serial + 1
		if content, err = EncodeState(s); err != nil {
			return err
		}
	}
	if err := m.backend.Write(ctx, content, before); err != nil {
		return fmt.Errorf("%s: cannot push the state: %w", m.Location(), err)
	}
	return m.pushed(given)
}

func checkPush(current, s *State) error {
	switch {
	case current == nil:
		return nil
	case current.Lineage != s.Lineage:
		return fmt.Errorf("%w: it is of lineage %s, and lineage %s is deployed from here; "+
			"it belongs to another deployment. -force puts it here all the same", ErrOtherLineage, s.Lineage, current.Lineage)
	case s.Serial < current.Serial:
		return fmt.Errorf("%w: it has serial %d, and serial %d stands here; "+
			"what was recorded since would be forgotten. -force puts it here all the same", ErrOlder, s.Serial, current.Serial)
	case s.Serial == current.Serial:
		return fmt.Errorf("%w or differs: both have serial %d with other contents; "+
			"look at the difference with `edgeplan state pull`. -force puts it here all the same", ErrOlder, s.Serial)
	}
	return nil
}

// pushed removes the emergency file when that is what was pushed.
func (m *Manager) pushed(content []byte) error {
	emergency, err := m.files.ReadFile(m.emergencyPath())
	if err != nil {
		return nil // there is none
	}
	left, err := Parse(m.emergencyPath(), emergency)
	if err != nil {
		return nil // it is no state, and so not this one
	}
	if encoded, err := EncodeState(left); err != nil || !bytes.Equal(encoded, content) {
		return nil
	}
	if err := m.files.Remove(m.emergencyPath()); err != nil {
		return &FileError{Path: m.emergencyPath(), Doing: "remove what was pushed", Err: err}
	}
	return nil
}

// Pull gives the recorded state as it stands there, readable or not; nil where
// there is none.
func (m *Manager) Pull(ctx context.Context) ([]byte, error) {
	snapshot, err := m.backend.Read(ctx)
	return snapshot.Content, err
}
