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

// survey connects to a device. A device that receives something is looked at
// closely.
func (a *applying) survey(ctx context.Context, node string) (*site, error) {
	d := a.devices[node]
	d.emit("connect", "connecting to %s", address(d.node.SSH))
	s, err := siteOf(ctx, d, d.node.Path, a.plan.Prior.Lineage)
	if err != nil {
		return nil, err
	}
	s.program = a.program(s)
	if len(a.wanted(node)) == 0 {
		return s, nil
	}
	missing, err := a.lacking(ctx, s)
	if err != nil {
		return nil, err
	}
	return s, s.admit(ctx, missing)
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

// admit says what keeps a device from taking its part, of which it lacks the given blobs.
func (s *site) admit(ctx context.Context, missing []statefile.Blob) error {
	found, err := lookAt(ctx, s)
	if err != nil {
		return err
	}
	mounted := s.checkMounts(ctx, found.existing)
	found.writable = found.writable || mounted != nil // that says why
	return errors.Join(found.check(s.node), mounted, checkSpace(ctx, s, found.existing, totalBytes(missing)))
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
