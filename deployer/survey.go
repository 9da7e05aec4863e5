package deployer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// preflight connects to all devices and looks whether everything can work
// there. It writes nothing.
func (a *applying) preflight(ctx context.Context) error {
	if err := a.checkShared(); err != nil {
		return err
	}
	var mu sync.Mutex
	err := each(sortedKeys(a.devices), a.o.Devices, func(node string) error {
		s, err := a.survey(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		a.sites[node] = s
		_, receives := a.plan.Desired.Nodes[node]
		if err != nil && !receives && ctx.Err() == nil {
			a.away[node] = a.devices[node].failed(err)
			return nil
		}
		return a.devices[node].failed(err)
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.Join(interruptedBy(ctx, "nothing was changed"), remaining(ctx, err))
	}
	return fmt.Errorf("nothing was changed:\n%w", err)
}

// survey connects to a device and looks at it; closely at one that receives
// something.
func (a *applying) survey(ctx context.Context, node string) (*site, error) {
	d := a.devices[node]
	d.emit("connect", "connecting to %s", address(d.node.SSH))
	s, err := siteOf(ctx, d, d.node.Path, a.plan.Prior.Lineage)
	if err != nil {
		return nil, err
	}
	s.program, s.uplink = a.program(s), a.plan.Uplink
	held := s.checkLease(ctx)
	if len(a.wanted(node)) == 0 {
		return s, held
	}
	missing, err := a.lacking(ctx, s)
	if err != nil {
		return nil, err
	}
	seen, err := a.admit(ctx, s, missing)
	for _, warning := range seen.warnings {
		s.emit("preflight", "warning: %v", warning)
	}
	return s, errors.Join(err, held)
}

// checkLease says who else changes the device right now. Who may wait for that is
// not kept from it.
func (s *site) checkLease(ctx context.Context) error {
	if s.o.withoutLease || s.o.LeaseWait > 0 {
		return nil
	}
	held, err := s.readLease(ctx)
	if err != nil || held == nil {
		return err
	}
	return &HeldError{*held}
}

// program is a worker program that a device has or gets; "" when none is known.
func (a *applying) program(s *site) string {
	for _, d := range a.plan.Deployments {
		for _, m := range []*statefile.Model{d.To, d.From} {
			if m == nil {
				continue
			}
			if program, ok := plan.WorkerProgram(m, s.name); ok {
				return s.blob(program.Digest)
			}
		}
	}
	return ""
}

// seen is what a close look at a device found, beside what is wrong.
type seen struct {
	look     look
	measured measured
	free     space
	warnings []error
}

// admit looks closely at a device. The error is what keeps it from taking its
// part, of which it lacks the given blobs.
func (a *applying) admit(ctx context.Context, s *site, missing []statefile.Blob) (found seen, err error) {
	if found.look, err = lookAt(ctx, s); err != nil {
		return found, err
	}
	if found.measured, err = s.measure(ctx); err != nil {
		return found, err
	}
	if found.free, err = s.freeSpace(ctx, found.look.existing); err != nil {
		return found, err
	}
	taken, err := a.checkPorts(ctx, s, found.measured.sockets)
	if err != nil {
		return found, err
	}
	mounted := s.checkMounts(ctx, found.look.existing)
	found.look.writable = found.look.writable || mounted != nil // that says why
	needed := memoryNeeded(a.plan, s.name)
	faults := append(taken, found.look.check(s.node), mounted, found.measured.checkTotal(needed),
		found.measured.checkFileSize(missing, s.node.SSH.User), a.checkKept(s, missing))
	if a.plan.Mode != plan.RollingBack {
		faults = append(faults, checkSpace(ctx, s, found.look.existing, totalBytes(missing)))
	}
	if hasEngine(a.wanted(s.name)) {
		faults = append(faults, found.measured.checkLibrary())
	}
	for _, warning := range []error{found.measured.checkClock(), found.measured.checkAvailable(needed)} {
		if warning != nil {
			found.warnings = append(found.warnings, warning)
		}
	}
	return found, errors.Join(faults...)
}

// checkShared refuses two nodes that are one folder of one device.
func (a *applying) checkShared() error {
	taken := map[string]string{}
	for _, node := range a.receiving() {
		known := a.plan.Desired.Nodes[node]
		place := known.SSH.User + "@" + address(known.SSH) + " " + known.Path
		if other, twice := taken[place]; twice {
			return fmt.Errorf("%s and %s are the same folder of the same device (%s): give one of them another path or address", other, node, place)
		}
		taken[place] = node
	}
	return nil
}
