package deployer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/edgeplan/edgeplan/statefile"
)

// Holder says for whom leases are taken.
type Holder struct {
	Who       string // user@host
	Operation string // apply, destroy, rollback
	// State is where the state is kept, the same for all who share its lock. A
	// lease that an earlier run with the same state has left is taken at once, since
	// the lock says that it is over. "" waits for every lease to end.
	State string
}

// Lease is the right to change what edgeplan has on a device, for some time by the
// device's own measure.
type Lease struct {
	ID        string    `json:"id"`
	Who       string    `json:"who"` // user@host
	Operation string    `json:"operation"`
	Since     time.Time `json:"since"`             // by the device's clock; zero when it does not tell
	Remaining float64   `json:"remaining_seconds"` // until it ends, if it is not renewed

	owner string
}

// HeldError says that somebody else changes a device right now.
type HeldError struct{ Lease Lease }

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s; wait until that has ended: a lease whose run died ends by itself in %d s", e.who(), int(e.Lease.Remaining))
}

func (e *HeldError) who() string {
	return fmt.Sprintf("%s holds the device with %s since %s (lease %s)",
		orSomebody(e.Lease.Who), orSomething(e.Lease.Operation), since(e.Lease.Since), e.Lease.ID)
}

// remedy names the command that ends a lease.
func (e *HeldError) remedy(node string) string {
	return fmt.Sprintf("wait until that has ended; if its run is dead, the lease ends by itself in %d s, or at once with `edgeplan force-unlock -node '%s' %s`",
		int(e.Lease.Remaining), strings.ReplaceAll(node, "'", `'\''`), e.Lease.ID)
}

// ErrLeaseLost is wrapped when a lease ended in the middle of a run.
var ErrLeaseLost = errors.New("the lease of the device was lost")

func orSomebody(who string) string {
	if who == "" {
		return "somebody"
	}
	return who
}

func orSomething(operation string) string {
	if operation == "" {
		return "something"
	}
	return "`edgeplan " + operation + "`"
}

func since(t time.Time) string {
	if t.IsZero() {
		return "a time it does not tell"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + " (its clock)"
}

// heldLease is the lease of this run on one device.
type heldLease struct {
	token string
	name  string // of its file

	mu    sync.Mutex // of what is done with it
	ended bool
}

// leaseTime is how long a lease lasts without being renewed: longer than a device
// takes to start again, or a bad line to come back.
const leaseTime = 2 * time.Minute

// procDir is where the kernel tells of time.
const procDir = "/proc"

// oneLine makes a value that the file of a lease can hold.
func oneLine(text string) string {
	text = unbroken(text)
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

// unbroken is a text without what ends a line or moves a terminal's cursor.
func unbroken(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// owner is the same for all runs under one lock of one state.
func (s *site) owner() string {
	if s.o.Holder.State == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s.lineage + "\n" + s.o.Holder.State))
	return hex.EncodeToString(sum[:8])
}

// leaseArguments are those of the scripts that write a lease.
func (s *site) leaseArguments(token string) []string {
	return []string{s.o.clock, s.root, token, s.owner(), oneLine(s.o.Holder.Who), oneLine(s.o.Holder.Operation),
		strconv.Itoa(int(s.o.LeaseTime.Seconds())), s.temporaryName()}
}

// takeLease makes this run the only one that changes the device. Somebody else's
// is a *HeldError.
func (s *site) takeLease(ctx context.Context) error {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	token := hex.EncodeToString(random[:])
	out, err := s.script(ctx, "take the lease", takeLeaseScript, s.leaseArguments(token)...)
	if err != nil {
		return fmt.Errorf("cannot take the lease of the device: %w", s.explainFailed(ctx, path.Dir(s.root), err))
	}
	first, rest, _ := strings.Cut(out, "\n")
	switch {
	case first == "held":
		return &HeldError{parseLease(rest)}
	case !leasePattern.MatchString(first):
		return fmt.Errorf("the device's answer about its lease makes no sense: %q", out)
	}
	s.lease = &heldLease{token: token, name: first}
	return nil
}

// renewLease starts the time of the lease anew. It fails with ErrLeaseLost when it
// is somebody else's by now.
func (s *site) renewLease(ctx context.Context) error {
	l := s.lease
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	out, err := s.script(ctx, "renew the lease", renewLeaseScript, append(s.leaseArguments(l.token), l.name)...)
	first, rest, _ := strings.Cut(out, "\n")
	switch {
	case err != nil:
		return fmt.Errorf("cannot renew the lease of the device: %w", s.explainFailed(ctx, path.Dir(s.root), err))
	case first == "renewed":
		return nil
	case rest == "":
		return fmt.Errorf("%w: it was taken away", ErrLeaseLost)
	}
	return fmt.Errorf("%w: %w", ErrLeaseLost, &HeldError{parseLease(rest)})
}

// dropLease gives the lease back. One that cannot be given back ends by itself.
func (s *site) dropLease(ctx context.Context) {
	l := s.lease
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		_, _ = s.script(ctx, "give back the lease", dropLeaseScript, s.root, l.token)
	}
}

// readLease tells who holds a device; nil is nobody. It changes nothing.
func (s *site) readLease(ctx context.Context) (*Lease, error) {
	out, err := s.script(ctx, "look at the lease", lookLeaseScript, s.o.clock, s.root)
	if err != nil || out == "" {
		return nil, err
	}
	l := parseLease(out)
	if l.Remaining <= 0 || l.owner != "" && l.owner == s.owner() {
		return nil, nil
	}
	return &l, nil
}

// parseLease reads what the scripts print. A device may print anything.
func parseLease(text string) Lease {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, twice := values[name]; ok && !twice {
			values[name] = oneLine(value)
		}
	}
	l := Lease{ID: values["token"], Who: values["who"], Operation: values["operation"], owner: values["owner"]}
	l.Since, _ = time.Parse(time.RFC3339, values["since"])
	l.Remaining, _ = strconv.ParseFloat(values["left"], 64)
	return l
}

// BreakLease takes the lease with an ID away from whoever holds it, on a node. It
// fails with ErrNoLease when the device has no such lease.
func BreakLease(ctx context.Context, name string, node statefile.Node, id string, o Options) error {
	o = o.withDefaults()
	d := newDevice(name, node, o)
	defer d.close()
	s, err := siteOf(ctx, d, node.Path, "")
	if err != nil {
		return d.failed(err)
	}
	out, err := s.script(ctx, "look at the lease", lookLeaseScript, s.o.clock, s.root)
	if err != nil {
		return d.failed(err)
	}
	found := parseLease(out)
	switch {
	case out == "":
		return d.failed(fmt.Errorf("%w: nobody holds it", ErrNoLease))
	case found.ID != id:
		return d.failed(fmt.Errorf("%w: %w", ErrNoLease, &HeldError{found}))
	}
	_, err = s.script(ctx, "break the lease", dropLeaseScript, s.root, id)
	return d.failed(err)
}

// ErrNoLease is that a device is not held by the lease that was named.
var ErrNoLease = errors.New("the device has no such lease")
