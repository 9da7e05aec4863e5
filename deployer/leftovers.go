package deployer

import (
	"context"
	"strings"

	"github.com/edgeplan/edgeplan/plan"
)

// stopLeftovers stops what still runs on nodes that the state knows and that carry none
// of the deployed releases. A device that was left out while it was away may have kept
// its workers all the time, with ports and memory that are given out anew.
func (a *applying) stopLeftovers(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	carrying := map[string]bool{}
	for _, m := range a.plan.Prior.Models {
		for _, node := range plan.ReleaseNodes(&m) {
			carrying[node] = true
		}
	}
	var nodes []string
	for _, node := range a.present(sortedKeys(a.devices)) {
		if _, known := a.plan.Prior.Nodes[node]; known && !carrying[node] {
			nodes = append(nodes, node)
		}
	}
	return each(nodes, a.o.Devices, func(node string) error {
		return a.devices[node].failed(a.sites[node].stopEverything(context.WithoutCancel(ctx)))
	})
}

// stopEverything stops the workers of all deployments of the state.
func (s *site) stopEverything(ctx context.Context) error {
	infos, err := s.list(ctx, s.root)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if !info.IsDir() || !strings.HasSuffix(info.Name(), lineageSuffix(s.lineage)) {
			continue
		}
		s.emit("stop", "stopping what is left of %s", info.Name())
		if err := s.stopOthers(ctx, info.Name(), ""); err != nil {
			return err
		}
	}
	return nil
}
