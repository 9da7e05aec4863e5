package deployer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
)

// kernel pretends to be the part of /proc that leases go by.
type kernel string

func newKernel(t testing.TB) kernel {
	t.Helper()
	k := kernel(t.TempDir())
	k.set(t, "boot-1", 1000)
	return k
}

func (k kernel) set(t testing.TB, boot string, uptime int) {
	t.Helper()
	dir := filepath.Join(string(k), "sys/kernel/random")
	if err := errors.Join(os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "boot_id"), []byte(boot+"\n"), 0o600),
		os.WriteFile(filepath.Join(string(k), "uptime"), fmt.Appendf(nil, "%d.25 99.00\n", uptime), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// leased is edgeplan's folder on a device, as one run of somebody sees it.
func leased(t testing.TB, d *embedded.Device, c *cluster, k kernel, who string) *site {
	t.Helper()
	o := c.options
	o.clock, o.LeaseTime = string(k), 100*time.Second
	o.Holder = Holder{Who: who, Operation: "apply", State: "the state of " + who}
	dev := newDevice("a", c.nodes["a"], o.withDefaults())
	t.Cleanup(dev.close)
	s, err := siteOf(context.Background(), dev, c.nodes["a"].Path, testLineage)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustTake(t testing.TB, s *site) {
	t.Helper()
	if err := s.takeLease(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// A lease ends by what the kernel counts: no change of a clock ends it or keeps it,
// and one of an earlier start of the device has its time once more.
func TestLeaseEndsByItself(t *testing.T) {
	moments := []struct {
		name   string
		boot   string
		uptime int
		held   bool
	}{
		{"at once", "boot-1", 1000, true},
		{"shortly before its end", "boot-1", 1099, true},
		{"at its end", "boot-1", 1100, false},
		{"long after its end", "boot-1", 900000, false},
		{"the count went back", "boot-1", 10, true}, // as when a container starts again
		{"the count went back long ago", "boot-1", 100, false},
		{"just after a new start", "boot-2", 5, true},
		{"some time after a new start", "boot-2", 101, false},
	}
	c := newCluster(t, "a")
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			k := newKernel(t)
			first, second := leased(t, c.devices["a"], c, k, "ana@laptop"), leased(t, c.devices["a"], c, k, "bo@desk")
			mustTake(t, first)
			k.set(t, m.boot, m.uptime)
			err := second.takeLease(context.Background())
			var held *HeldError
			if errors.As(err, &held) != m.held || !m.held && err != nil {
				t.Fatalf("held should be %v: %v", m.held, err)
			}
			if m.held && (held.Lease.Who != "ana@laptop" || held.Lease.Operation != "apply" || time.Since(held.Lease.Since).Abs() > time.Minute) {
				t.Errorf("it does not tell who holds it: %+v", held.Lease)
			}
			if err := first.renewLease(context.Background()); errors.Is(err, ErrLeaseLost) == m.held {
				t.Errorf("the first renews: %v", err)
			}
			first.dropLease(context.Background())
			second.dropLease(context.Background())
			if left := c.tree("a"); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// However the wall clock of a device jumps, what a lease says of it is only printed.
func TestLeaseDoesNotGoByTheClock(t *testing.T) {
	c := newCluster(t, "a")
	k := newKernel(t)
	first, second := leased(t, c.devices["a"], c, k, "ana@laptop"), leased(t, c.devices["a"], c, k, "bo@desk")
	mustTake(t, first)
	file := filepath.Join(c.root("a"), first.lease.name)
	for _, since := range []string{"1970-01-01T00:00:07Z", "2099-01-01T00:00:00Z", "nonsense"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(content)) {
			if strings.HasPrefix(line, "since=") {
				line = "since=" + since + "\n"
			}
			lines = append(lines, line)
		}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-1000 * time.Hour)
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
		var held *HeldError
		if err := second.takeLease(context.Background()); !errors.As(err, &held) {
			t.Errorf("%s: %v", since, err)
		}
	}
}

// Of many who take a dead lease at once, one gets it.
func TestOneOfManyTakesADeadLease(t *testing.T) {
	c := newCluster(t, "a")
	k := newKernel(t)
	for round := range 5 {
		k.set(t, "boot-1", 1000*(round+1))
		mustTake(t, leased(t, c.devices["a"], c, k, fmt.Sprintf("dead@%d", round)))
		k.set(t, "boot-1", 1000*(round+1)+500)
		var sites []*site
		for i := range 6 {
			sites = append(sites, leased(t, c.devices["a"], c, k, fmt.Sprintf("op%d@host", i)))
		}
		var mu sync.Mutex
		var winners []string
		var all sync.WaitGroup
		for i, s := range sites {
			all.Go(func() {
				err := s.takeLease(context.Background())
				var held *HeldError
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					winners = append(winners, fmt.Sprint(i))
				} else if !errors.As(err, &held) {
					t.Errorf("operator %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if len(winners) != 1 {
			t.Fatalf("round %d: %d took the lease: %v", round, len(winners), winners)
		}
	}
}

// What a power cut leaves of a file, or a stray one, does not hold a device for ever.
func TestDamagedLease(t *testing.T) {
	for name, content := range map[string]string{"lease.7": "", "lease.8": "token=\x00\x00", "lease.bak": "x", "lease.0012": "seconds=9999\nat=1000\nboot=boot-1\n"} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "a")
			s := leased(t, c.devices["a"], c, newKernel(t), "ana@laptop")
			if err := errors.Join(os.MkdirAll(c.root("a"), 0o700), os.WriteFile(filepath.Join(c.root("a"), name), []byte(content), 0o600)); err != nil {
				t.Fatal(err)
			}
			mustTake(t, s)
		})
	}
}

// Whatever is in the names of a holder, it stays one line of the file and never
// becomes a command.
func TestHostileHolder(t *testing.T) {
	c := newCluster(t, "a")
	k := newKernel(t)
	for _, who := range []string{"a'b\"c", "x\nseconds=0\nat=0", "$(touch owned)`touch owned`;touch owned", `%s%n\n\0`, strings.Repeat("w", 5000)} {
		first, second := leased(t, c.devices["a"], c, k, who), leased(t, c.devices["a"], c, k, "bo@desk")
		mustTake(t, first)
		var held *HeldError
		if err := second.takeLease(context.Background()); !errors.As(err, &held) || held.Lease.Who != oneLine(who) {
			t.Errorf("%q: %v", who, err)
		}
		first.dropLease(context.Background())
	}
	if left := c.tree("a"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Two states on one device: while one applies, the other is told who does and
// since when, and changes nothing. When the first has ended, the second goes through.
func TestTwoOperatorsAtOnce(t *testing.T) {
	c := newCluster(t, "a", "b")
	other := c.second()
	m, n := c.model("net", "1", 7433, "a", "b"), other.model("net", "0", 7500, "b")
	var refused error
	once(c, "b", func(op embedded.Operation) bool { return op.Bytes > 1000 }, func() {
		refused = other.apply(other.plan(models{"net": n}))
	})
	c.mustApply(models{"net": m})
	if refused == nil {
		t.Fatal("both deployed at once")
	}
	for _, part := range []string{"nothing was changed", "b: ", "ana@laptop", "`edgeplan apply`", "since " + time.Now().UTC().Format("2006-01-02")} {
		if !strings.Contains(refused.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, refused)
		}
	}
	if other.recorder.writes > 0 {
		t.Error("the refused one has recorded something")
	}
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
	other.mustApply(models{"net": n})
}

// A lease that a killed run left is taken by the next run with the same state at
// once, and by others when it has ended.
func TestKilledOperator(t *testing.T) {
	c := newCluster(t, "a")
	k := newKernel(t)
	c.options.clock, c.options.LeaseTime = string(k), 100*time.Second
	other := c.second()
	killed := newApplying(c.plan(models{"net": c.model("net", "1", 7433, "a")}), c.recorder, c.options.withDefaults())
	t.Cleanup(killed.close)
	if err := killed.preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustTake(t, killed.sites["a"])
	n := other.model("net", "0", 7500, "a")
	var held *HeldError
	if err := other.apply(other.plan(models{"net": n})); !errors.As(err, &held) {
		t.Fatalf("another operator: %v", err)
	}
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
	mustTake(t, killed.sites["a"])
	k.set(t, "boot-1", 1101)
	other.mustApply(models{"net": n})
}

// A run whose lease is taken away ends before it switches, and undoes what it did.
func TestLeaseLostOnTheWay(t *testing.T) {
	c := newCluster(t, "a", "b")
	old := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": old})
	once(c, "b", func(op embedded.Operation) bool { return strings.Contains(op.Name, "'start'") }, func() {
		leases, _ := filepath.Glob(filepath.Join(c.root("b"), "lease.*"))
		for _, file := range leases {
			os.Remove(file)
		}
	})
	err := c.apply(c.plan(models{"net": c.model("net", "2", 7434, "a", "b")}))
	if !errors.Is(err, ErrLeaseLost) || !strings.Contains(err.Error(), "b: ") || !strings.Contains(err.Error(), "goes on serving") {
		t.Errorf("error %v", err)
	}
	if err := c.serves("net", old); err != nil {
		t.Error(err)
	}
}

// A long run renews its lease; when that is not its own any more, the run ends.
func TestLeaseIsRenewed(t *testing.T) {
	c := newCluster(t, "a")
	c.options.LeaseTime = 4 * time.Second
	other := c.second()
	var refused, lost error
	once(c, "a", func(op embedded.Operation) bool { return op.Bytes > 1000 }, func() {
		time.Sleep(5 * time.Second)
		refused = other.apply(other.plan(models{"net": other.model("net", "0", 7500, "a")}))
	})
	lost = c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
	var held *HeldError
	if lost != nil || !errors.As(refused, &held) {
		t.Errorf("the holder: %v; the other: %v", lost, refused)
	}
}

// Who has a patient colleague waits.
func TestLeaseIsWaitedFor(t *testing.T) {
	c := newCluster(t, "a")
	k := newKernel(t)
	first := leased(t, c.devices["a"], c, k, "bo@desk")
	mustTake(t, first)
	go func() {
		time.Sleep(300 * time.Millisecond)
		first.dropLease(context.Background())
	}()
	c.options.clock, c.options.LeaseWait = string(k), 20*time.Second
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
}

// A lease is broken by its ID alone.
func TestBreakLease(t *testing.T) {
	c := newCluster(t, "a")
	s := leased(t, c.devices["a"], c, newKernel(t), "bo@desk")
	ctx := context.Background()
	if err := BreakLease(ctx, "a", c.nodes["a"], "beef", s.o); !errors.Is(err, ErrNoLease) {
		t.Errorf("nobody holds it: %v", err)
	}
	mustTake(t, s)
	if err := BreakLease(ctx, "a", c.nodes["a"], "beef", s.o); !errors.Is(err, ErrNoLease) || !strings.Contains(err.Error(), s.lease.token) {
		t.Errorf("another ID: %v", err)
	}
	if err := BreakLease(ctx, "a", c.nodes["a"], s.lease.token, s.o); err != nil {
		t.Error(err)
	}
	if err := s.renewLease(ctx); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("the holder goes on: %v", err)
	}
}
