package deployer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// each does one thing on every node, some at once. All are done, whatever fails;
// the error joins those of all nodes, in order.
func each(nodes []string, limit int, do func(node string) error) error {
	failures := make([]error, len(nodes))
	var group errgroup.Group
	group.SetLimit(limit)
	for i, node := range nodes {
		group.Go(func() error {
			failures[i] = do(node)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(failures...)
}

// eachOrNone is each, but gives up on the others when one fails. What only
// failed by that is not reported.
func eachOrNone(ctx context.Context, nodes []string, limit int, do func(ctx context.Context, node string) error) error {
	shared, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	failures := map[string]error{}
	_ = each(nodes, limit, func(node string) error {
		err := do(shared, node)
		mu.Lock()
		defer mu.Unlock()
		if err != nil && (shared.Err() == nil || ctx.Err() != nil || !errors.Is(err, context.Canceled)) {
			failures[node] = err
			cancel()
		}
		return nil
	})
	var joined []error
	for _, node := range sortedKeys(failures) {
		joined = append(joined, failures[node])
	}
	return errors.Join(joined...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
