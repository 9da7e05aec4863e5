package deployer

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
		s, old, err := a.survey(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		a.sites[node], a.olds[node] = s, old
		_, receives := a.plan.Desired.Nodes[node]
		if err != nil && !receives && ctx.Err() == nil {
			a.away[node] = a.devices[node].failed(err)
			return nil
		}
		return a.devices[node].failed(err)
	})
	if err != nil {
		return fmt.Errorf("nothing was changed:\n%w", err)
	}
	return nil
}

// survey connects to a device. A device that receives something is looked at
// closely.
func (a *applying) survey(ctx context.Context, node string) (s, old *site, err error) {
	d := a.devices[node]
	d.emit("connect", "connecting to %s", address(d.node.SSH))
	s, err = siteOf(ctx, d, d.node.Path)
	if err != nil {
		return nil, nil, err
	}
	old = s
	if prior, ok := a.plan.Prior.Nodes[node]; ok && prior.Path != d.node.Path {
		if old, err = siteOf(ctx, d, prior.Path); err != nil {
			return nil, nil, err
		}
	}
	if wanted := a.wanted(node); len(wanted) > 0 {
		err = s.admit(ctx, wanted)
	}
	return s, old, err
}

// admit says what keeps a device from taking its part.
func (s *site) admit(ctx context.Context, wanted []statefile.Blob) error {
	found, err := lookAt(ctx, s)
	if err != nil {
		return err
	}
	missing, err := s.missing(ctx, wanted)
	if err != nil {
		return err
	}
	return errors.Join(found.check(s.node), checkSpace(ctx, s, found.existing, totalBytes(missing)))
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
