package deployer

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

var everyFault = flag.Bool("every-fault", false, "let every operation fail, not some of them")

// Every single operation on one device fails once, in several ways. After each
// failure the release of the state runs on all devices; without the fault the
// next apply comes to the new release and leaves nothing half done.
func TestEveryOperationMayFail(t *testing.T) {
	ways := []struct {
		node   string
		way    embedded.Action
		how    plan.Switch
		stride int // how many operations apart, without -every-fault
	}{
		{"a", embedded.Fail, plan.Beside, 23},
		{"b", embedded.Fail, plan.StopFirst, 31},
		{"a", embedded.DropAfter, plan.Beside, 37},
		{"b", embedded.Drop, plan.StopFirst, 41},
	}
	for _, way := range ways {
		t.Run(fmt.Sprintf("%s %d %s", way.node, way.way, way.how), func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			for _, name := range []string{"a", "b", "c"} {
				c.addDevice(name, embedded.Options{})
			}
			loop := faultLoop{cluster: c, node: way.node, way: way.way, how: way.how}
			if *everyFault {
				way.stride = 1
			}
			loop.run(t, way.stride)
		})
	}
}

type faultLoop struct {
	*cluster
	node string
	way  embedded.Action
	how  plan.Switch
}

func (l *faultLoop) run(t *testing.T, stride int) {
	old := l.model("net", "start", 7433, "a", "b", "c")
	l.mustApply(models{"net": old})
	for n := 1; ; n += stride {
		next := l.model("net", fmt.Sprint(n), 7433+n%2, "a", "b", "c")
		met := l.fault(n)
		p := l.plan(models{"net": next})
		p.Deployments[0].Switch = l.how
		failed := l.apply(p)
		l.devices[l.node].SetFault(nil)
		if err := l.trueState(old, next); err != nil {
			t.Fatalf("operation %d, %s: %v\nthe apply said: %v", n, met(), err, failed)
		}
		if err := l.converge(next); err != nil {
			t.Fatalf("operation %d, %s: the next apply: %v\nthe first said: %v", n, met(), err, failed)
		}
		old = next
		if met() == "" {
			t.Logf("%d operations", n-1)
			return
		}
	}
}

// fault lets the n-th operation fail, and tells which that was; "" when there
// were fewer.
func (l *faultLoop) fault(n int) (met func() string) {
	var hit atomic.Value
	hit.Store("")
	l.devices[l.node].SetFault(func(op embedded.Operation) embedded.Action {
		if op.N != n {
			return embedded.Proceed
		}
		hit.Store(op.Kind + " " + op.Name)
		return l.way
	})
	return func() string { return hit.Load().(string) }
}

// trueState says what is wrong: the release of the state must run everywhere,
// and be the gateway's current one.
func (l *faultLoop) trueState(old, next statefile.Model) error {
	recorded := l.state().Models["net"].Release
	if recorded != old.Release && recorded != next.Release {
		return fmt.Errorf("the state has release %q, neither %s nor %s", recorded, old.Release, next.Release)
	}
	for _, node := range []string{"a", "b", "c"} {
		if !l.running(node, "net", recorded) {
			return fmt.Errorf("release %s is recorded and does not run on %s", recorded, node)
		}
	}
	if current := l.current("a", "net"); current != recorded {
		return fmt.Errorf("release %s is recorded and the gateway's current one is %s", recorded, current)
	}
	return nil
}

// converge applies again as a person would: with what a refresh finds.
func (l *faultLoop) converge(next statefile.Model) error {
	p := l.plan(models{"net": next})
	seen, err := Refresh(context.Background(), p.Prior, nil, l.options)
	if err != nil {
		return err
	}
	if len(p.Deployments) == 0 && len(seen.Drift) > 0 {
		p.Deployments = []plan.Deployment{{Model: "net", From: &next, To: &next, Switch: plan.StopFirst,
			Manifests: plan.Manifests("net", &next, l.nodes)}}
	}
	if err := l.apply(p); err != nil {
		return err
	}
	if err := l.serves("net", next); err != nil {
		return err
	}
	if seen, err = Refresh(context.Background(), l.state(), nil, l.options); err != nil || len(seen.Drift) > 0 {
		return fmt.Errorf("drift %v, error %v", seen.Drift, err)
	}
	return l.tidy()
}

// tidy says what was left half done.
func (l *faultLoop) tidy() error {
	for _, node := range []string{"a", "b", "c"} {
		for _, path := range l.tree(node) {
			name := filepath.Base(path)
			if strings.HasPrefix(name, temporary) || strings.HasSuffix(name, unfinished) {
				return fmt.Errorf("%s: %s is left", node, path)
			}
		}
	}
	return nil
}
