package solver

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// compare holds a claimed cost against the audit, part by part.
func (a *audit) compare(c *Cost) error {
	for _, check := range []func(*Cost) error{a.compareStages, a.compareTransfers, a.compareResources, a.compareBottleneck} {
		if err := check(c); err != nil {
			return err
		}
	}
	if !a.latency.matches(c.LatencySeconds) {
		return fmt.Errorf("the end-to-end latency is %s s; the solution says %g s", a.latency, c.LatencySeconds)
	}
	if c.MovedBytes != a.moved {
		return fmt.Errorf("%d bytes have to move; the solution says %d", a.moved, c.MovedBytes)
	}
	return nil
}

func (a *audit) compareStages(c *Cost) error {
	if len(c.Stages) != len(a.stages) {
		return fmt.Errorf("there are %d stages, and costs of %d", len(a.stages), len(c.Stages))
	}
	for k, s := range c.Stages {
		if s.MemoryBytes != a.memory[k] {
			return fmt.Errorf("stage %d needs %d bytes of memory; the solution says %d", k, a.memory[k], s.MemoryBytes)
		}
		if !a.computes[k].matches(s.Seconds) {
			return fmt.Errorf("stage %d takes %s s; the solution says %g s", k, a.computes[k], s.Seconds)
		}
	}
	return nil
}

func (a *audit) compareTransfers(c *Cost) error {
	if len(c.Transfers) != len(a.transfers) {
		return fmt.Errorf("there are %d transfers over links, and costs of %d", len(a.transfers), len(c.Transfers))
	}
	for k, t := range c.Transfers {
		want := a.transfers[k]
		if t.Cut != want.Cut || t.From != want.From || t.To != want.To {
			return fmt.Errorf("transfer %d is cut %d from %s to %s; the solution says cut %d from %s to %s", k,
				want.Cut, a.p.nodeName(want.From), a.p.nodeName(want.To), t.Cut, a.p.nodeName(t.From), a.p.nodeName(t.To))
		}
		if t.Bytes != want.Bytes {
			return fmt.Errorf("transfer %d moves %d bytes; the solution says %d", k, want.Bytes, t.Bytes)
		}
		if !want.seconds.matches(t.Seconds) {
			return fmt.Errorf("transfer %d takes %s s; the solution says %g s", k, want.seconds, t.Seconds)
		}
		if t.Latency != want.latency {
			return fmt.Errorf("transfer %d has a latency of %g s; the solution says %g s", k, want.latency, t.Latency)
		}
	}
	return nil
}

// compareResources wants every busy resource once, in order, with its time.
func (a *audit) compareResources(c *Cost) error {
	for _, r := range c.Resources {
		name, claimed := a.p.ResourceName(r), r.Seconds
		r.Seconds = 0
		want, busy := a.busy[r]
		if !busy {
			return fmt.Errorf("%s is idle; the solution says that it is busy for %g s", name, claimed)
		}
		if !want.matches(claimed) {
			return fmt.Errorf("%s is busy for %s s; the solution says %g s", name, want, claimed)
		}
	}
	if !slices.IsSortedFunc(c.Resources, compareResource) {
		return errors.New("the busy resources are not in order: nodes, links, networks, interfaces")
	}
	if n := len(slices.CompactFunc(slices.Clone(c.Resources), sameResource)); n != len(c.Resources) {
		return fmt.Errorf("%d busy resources are listed twice", len(c.Resources)-n)
	}
	for _, r := range slices.SortedFunc(maps.Keys(a.busy), compareResource) {
		if !slices.ContainsFunc(c.Resources, func(x Resource) bool { return sameResource(x, r) }) {
			return fmt.Errorf("%d resources are busy; the solution lists %d, without %s", len(a.busy), len(c.Resources), a.p.ResourceName(r))
		}
	}
	return nil
}

func sameResource(a, b Resource) bool { return a.Kind == b.Kind && a.From == b.From && a.To == b.To }

func compareResource(a, b Resource) int {
	kinds := []ResourceKind{NodeResource, LinkResource, NetworkResource, InterfaceResource}
	return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

// compareBottleneck wants the busiest of the resources named, the first of equals.
func (a *audit) compareBottleneck(c *Cost) error {
	busiest := c.Resources[0]
	for _, r := range c.Resources {
		if r.Seconds > busiest.Seconds {
			busiest = r
		}
	}
	if !sameResource(c.Bottleneck, busiest) {
		return fmt.Errorf("the bottleneck is %s with %g s; the solution names %s",
			a.p.ResourceName(busiest), busiest.Seconds, a.p.ResourceName(c.Bottleneck))
	}
	if c.BottleneckSeconds != busiest.Seconds || c.Bottleneck.Seconds != busiest.Seconds {
		return fmt.Errorf("the bottleneck takes %g s; the solution says %g s and %g s", busiest.Seconds, c.BottleneckSeconds, c.Bottleneck.Seconds)
	}
	return nil
}

// matches allows a claimed time a picosecond for every rounding that units.go
// does, and the last bits of a float.
func (e exact) matches(claimed float64) bool {
	got := new(big.Rat).SetFloat64(claimed)
	if got == nil {
		return false // no number
	}
	off := new(big.Rat).Sub(got, e.seconds)
	may := big.NewRat(e.roundings, psPerSecond)
	may.Add(may, new(big.Rat).Mul(e.seconds, big.NewRat(1, 1<<50)))
	return off.Abs(off).Cmp(may) <= 0
}

// String is the time to the picosecond.
func (e exact) String() string { return e.seconds.FloatString(12) }
