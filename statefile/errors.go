package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with a state file.
var (
	ErrEmpty       = errors.New("the state is empty")
	ErrCorrupt     = errors.New("the state is corrupt")
	ErrConflict    = errors.New("the state holds merge conflict markers")
	ErrNotState    = errors.New("this is no edgeplan state")
	ErrNewerFormat = errors.New("the state is of a newer format")
	ErrNoLineage   = errors.New("the state has no valid lineage")
)

// What can stop a state from being used or recorded.
var (
	// ErrMoved: the file changed since it was read.
	ErrMoved = errors.New("the state has moved on")
	// ErrUnfinished: a failed run left a newer state in the emergency file.
	ErrUnfinished = errors.New("a failed run left a newer state")
	// ErrLocked: another run holds the lock.
	ErrLocked = errors.New("the state is locked")
)

// ReadError says why a state file cannot be used, and what to do.
type ReadError struct {
	Path         string
	Line, Column int   // from 1; 0 where no place is known
	Err          error // wraps one of the sentinels
}

func (e *ReadError) Error() string {
	place := e.Path
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.Path, e.Line, e.Column)
	}
	return fmt.Sprintf("%s: %v; %s", place, e.Err, e.advice())
}

// Unwrap gives the sentinel to errors.Is.
func (e *ReadError) Unwrap() error { return e.Err }

// advice is what to do about the error.
func (e *ReadError) advice() string {
	switch {
	case errors.Is(e.Err, ErrNewerFormat):
		return "use that version of edgeplan or a newer one"
	case errors.Is(e.Err, ErrConflict):
		return "keep the side with the higher serial whole, and look with `edgeplan plan` at what differs"
	case errors.Is(e.Err, ErrNotState):
		return "move it away if it is not meant to be here"
	}
	if strings.Contains(e.Path, "://") {
		return "look whether the address of the backend is right; an older version of the state goes back with `edgeplan state push -force FILE`"
	}
	return fmt.Sprintf("restore it from version control or from %s.backup, or remove it if nothing is deployed", e.Path)
}

// locate turns the offset of a positionError into line and column.
func (e *ReadError) locate(data []byte) {
	var at *positionError
	if !errors.As(e.Err, &at) {
		return
	}
	before := data[:min(at.offset, len(data))]
	e.Line = bytes.Count(before, []byte("\n")) + 1
	e.Column = len(before) - bytes.LastIndexByte(before, '\n')
}

// positionError carries where in the file something was found.
type positionError struct {
	offset int // bytes from the start
	err    error
}

func (e *positionError) Error() string { return e.err.Error() }
func (e *positionError) Unwrap() error { return e.err }

// WriteError says that a state could not be recorded, and where it is instead.
// What was done on the devices stays done.
type WriteError struct {
	Location string // of the state
	// Emergency is where the state was saved; "" when that failed too.
	Emergency    string
	EmergencyErr error
	// Content is the state that could not be recorded, as it would be in the file.
	Content []byte
	Err     error
}

func (e *WriteError) Error() string {
	text := fmt.Sprintf("%s: cannot record the state: %v", e.Location, e.Err)
	if e.Emergency == "" {
		return fmt.Sprintf("%s; it could not be saved in the folder either: %v; the devices are ahead of the state: "+
			"save what is printed with this error as %s and run `edgeplan state push %s` before anything else",
			text, e.EmergencyErr, EmergencyFile, EmergencyFile)
	}
	if errors.Is(e.Err, ErrMoved) {
		return fmt.Sprintf("%s; what this run did is in %s: compare it with `edgeplan state pull`, "+
			"and `edgeplan state push -force %s` if that is what is true, else remove it", text, e.Emergency, EmergencyFile)
	}
	return fmt.Sprintf("%s; it is saved in %s: remove the cause and run `edgeplan state push %s` before anything else",
		text, e.Emergency, EmergencyFile)
}

// Unwrap gives the cause to errors.Is.
func (e *WriteError) Unwrap() error { return e.Err }
