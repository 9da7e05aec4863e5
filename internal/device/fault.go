package device

import "sync"

// The kinds of operations.
const (
	Exec = "exec"
	SFTP = "sftp"
)

// Operation is one thing that a client asks of a device.
type Operation struct {
	Kind string // Exec or SFTP
	// Name is the command line, or the SFTP request: open, write, posix-rename@openssh.com, …
	Name  string
	N     int // counts the operations of the device, from 1
	Bytes int // carried by a write
}

// Action is what becomes of an operation.
type Action int

// The actions.
const (
	Proceed   Action = iota
	Fail             // refused: status "failure", or exit code 1
	Hang             // neither done nor answered
	Drop             // not done, and the connection is cut
	DropAfter        // done, and the connection is cut before the answer
)

// faults decides what goes wrong on a device.
type faults struct {
	mu      sync.Mutex
	decide  func(Operation) Action
	n       int
	limited bool
	free    int64 // bytes that may still be written, when limited
}

// SetFault replaces what decides about operations and counts them from 1
// again; nil lets all pass.
func (d *Device) SetFault(decide func(Operation) Action) {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.decide, d.faults.n = decide, 0
}

// SetFreeBytes limits what may still be written over SFTP; less than 0 does not.
func (d *Device) SetFreeBytes(n int64) {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.limited, d.faults.free = n >= 0, n
}

// ask is called once for each operation.
func (f *faults) ask(op Operation) Action {
	f.mu.Lock()
	f.n++
	op.N = f.n
	decide := f.decide
	f.mu.Unlock()
	if decide != nil {
		if action := decide(op); action != Proceed {
			return action
		}
	}
	return f.write(op.Bytes)
}

// write takes bytes from what is free.
func (f *faults) write(bytes int) Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.limited || bytes == 0 {
		return Proceed
	}
	if int64(bytes) > f.free {
		return Fail
	}
	f.free -= int64(bytes)
	return Proceed
}

// left is how many bytes are free; limited is false when that is not pretended.
func (f *faults) left() (free int64, limited bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.free, f.limited
}
