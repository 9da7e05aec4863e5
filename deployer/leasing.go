package deployer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// lease makes this run the only one that changes the devices, and keeps it so
// until the given function is called. The context that it gives ends when a lease
// is lost. The first device goes first, so that of two runs on the same devices
// one gets all.
func (a *applying) lease(ctx context.Context) (context.Context, func(), error) {
	if a.o.withoutLease {
		return ctx, func() {}, nil
	}
	nodes := a.inOneOrder(a.present(sortedKeys(a.devices)))
	take := func(node string) error { return a.devices[node].failed(a.sites[node].awaitLease(ctx)) }
	var err error
	if len(nodes) > 0 {
		err = take(nodes[0])
	}
	if err == nil && len(nodes) > 1 {
		err = each(nodes[1:], a.o.Devices, take)
	}
	if err != nil {
		a.dropLeases(ctx, nodes)
		return nil, nil, err
	}
	held, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	for _, node := range nodes {
		renewing.Go(func() { a.sites[node].keepLease(held, cancel) })
	}
	return held, func() {
		cancel(nil)
		renewing.Wait()
		a.dropLeases(ctx, nodes)
	}, nil
}

// inOneOrder sorts nodes by where they are, which is the same for all states.
func (a *applying) inOneOrder(nodes []string) []string {
	slices.SortStableFunc(nodes, func(x, y string) int {
		return cmp.Compare(address(a.devices[x].node.SSH), address(a.devices[y].node.SSH))
	})
	return nodes
}

func (a *applying) dropLeases(ctx context.Context, nodes []string) {
	_ = each(nodes, a.o.Devices, func(node string) error {
		a.sites[node].dropLease(context.WithoutCancel(ctx))
		return nil
	})
}

// awaitLease takes a lease, and waits for somebody else's as long as is allowed.
func (s *site) awaitLease(ctx context.Context) error {
	deadline := time.Now().Add(s.o.LeaseWait)
	for {
		err := s.takeLease(ctx)
		var held *HeldError
		if !errors.As(err, &held) || !time.Now().Before(deadline) {
			return err
		}
		s.emit("lease", "waiting: %v", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(time.Second, time.Until(deadline))):
		}
	}
}

// keepLease renews a lease until ctx ends. That a device cannot be reached is for
// the steps of the run to find; that it is somebody else's ends what is done there.
func (s *site) keepLease(ctx context.Context, lost context.CancelCauseFunc) {
	ticker := time.NewTicker(s.o.LeaseTime / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.renewLease(ctx); errors.Is(err, ErrLeaseLost) {
			lost(s.failed(err))
			return
		}
	}
}
