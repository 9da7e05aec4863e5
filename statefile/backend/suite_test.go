package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/servertest"
	"github.com/edgeplan/edgeplan/statefile"
)

// place is somewhere a state can be kept. Each call of open is another run of
// edgeplan on another machine.
type place struct {
	name string
	open func() statefile.Backend
	// tells says that a writer who read before another wrote is refused by the
	// place itself, with nobody looking first.
	tells bool
}

// places are one new, empty state in every kind of place.
func places(t *testing.T) []place {
	protocol := servertest.StartProtocol(t)
	dir := t.TempDir()
	return []place{
		{"local", func() statefile.Backend { return open(t, dir, Settings{}) }, true},
		{"http", func() statefile.Backend { return open(t, "", protocolState(protocol.URL+"/state")) }, false},
	}
}

// suites numbers the runs of tests, whose states stay on servers of others.
var suites atomic.Int64

// suite runs a test in every place, those on servers of others included.
func suite(t *testing.T, test func(t *testing.T, p place)) {
	fresh := func(name string) string { return fmt.Sprintf("%s-%d", name, suites.Add(1)) }
	for _, p := range places(t) {
		t.Run(p.name, func(t *testing.T) { test(t, p) })
	}
	t.Run("gitea", func(t *testing.T) {
		settings := giteaState(startGitea(t), fresh(strings.ReplaceAll(t.Name(), "/", "-")))
		test(t, place{"gitea", func() statefile.Backend { return open(t, "", settings) }, false})
	})
	t.Run("versitygw", func(t *testing.T) {
		settings := s3State(startVersitygw(t), fresh(t.Name()))
		test(t, place{"versitygw", func() statefile.Backend { return open(t, "", settings) }, true})
	})
}

func open(t testing.TB, dir string, s Settings) statefile.Backend {
	t.Helper()
	b, err := Open(context.Background(), dir, s, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func protocolState(address string) Settings {
	return Settings{Type: "http", Attributes: map[string]string{
		"address": address, "lock_address": address, "retry_wait_min": "1ms", "retry_wait_max": "5ms", "timeout": "5s",
	}}
}

func giteaState(h servertest.HTTP, name string) Settings {
	return Settings{Type: "http", Attributes: map[string]string{
		"address": h.Address(name), "lock_address": h.LockAddress(name), "lock_method": "POST", "unlock_method": "DELETE",
		"username": h.Username, "password": h.Password,
	}}
}

func s3State(s servertest.S3, key string) Settings {
	return Settings{Type: "s3", Attributes: map[string]string{
		"endpoint": s.Endpoint, "bucket": s.Bucket, "key": key, "region": "us-east-1", "use_path_style": "true",
		"access_key": s.AccessKey, "secret_key": s.SecretKey,
	}}
}

// state is one that a server of the protocol takes for a state.
func state(serial uint64) []byte {
	return fmt.Appendf(nil, `{"format_version":1,"serial":%d,"lineage":"6f1f0c1e-93b5-4d8e-8f5e-2f8e6d0c7a11"}`, serial)
}

func read(t *testing.T, b statefile.Backend) statefile.Snapshot {
	t.Helper()
	s, err := b.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, b statefile.Backend, content []byte, before statefile.Snapshot) {
	t.Helper()
	if err := b.Write(t.Context(), content, before); err != nil {
		t.Fatal(err)
	}
}

func TestReadsWhatWasWritten(t *testing.T) {
	suite(t, func(t *testing.T, p place) {
		b := p.open()
		if s := read(t, b); s.Content != nil {
			t.Fatalf("a new state holds %q", s.Content)
		}
		write(t, b, state(1), statefile.Snapshot{})
		write(t, b, state(2), read(t, b))
		if s := read(t, p.open()); string(s.Content) != string(state(2)) {
			t.Errorf("another run reads %q", s.Content)
		}
	})
}

func TestStaleWriterIsRefused(t *testing.T) {
	suite(t, func(t *testing.T, p place) {
		if !p.tells {
			checkManagerRefuses(t, p)
			return
		}
		early, late := p.open(), p.open()
		write(t, early, state(1), statefile.Snapshot{})
		before := read(t, late)
		write(t, early, state(2), read(t, early))
		for _, stale := range []statefile.Snapshot{before, {}} {
			if err := late.Write(t.Context(), state(3), stale); !errors.Is(err, statefile.ErrMoved) {
				t.Errorf("got %v, want ErrMoved", err)
			}
		}
		if s := read(t, late); string(s.Content) != string(state(2)) {
			t.Errorf("the stale writer left %q", s.Content)
		}
	})
}

// checkManagerRefuses is for a protocol without conditions: who records looks first.
func checkManagerRefuses(t *testing.T, p place) {
	t.Helper()
	early, late := statefile.OpenBackend(t.TempDir(), p.open()), statefile.OpenBackend(t.TempDir(), p.open())
	first := load(t, early)
	record(t, early, first)
	stale := load(t, late)
	record(t, early, first)
	if err := late.Record(stale); !errors.Is(err, statefile.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
	if now := load(t, statefile.OpenBackend(t.TempDir(), p.open())); now.Serial != 2 {
		t.Errorf("serial %d", now.Serial)
	}
}

func load(t *testing.T, m *statefile.Manager) *statefile.State {
	t.Helper()
	s, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(t *testing.T, m *statefile.Manager, s *statefile.State) {
	t.Helper()
	if err := m.Record(s); err != nil {
		t.Fatal(err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	suite(t, func(t *testing.T, p place) {
		holder := statefile.OpenBackend(t.TempDir(), p.open())
		lock, err := holder.Lock(t.Context(), statefile.LockOptions{Operation: "apply"})
		if err != nil {
			t.Fatal(err)
		}
		other := statefile.OpenBackend(t.TempDir(), p.open())
		_, err = other.Lock(t.Context(), statefile.LockOptions{Operation: "destroy", Timeout: 200 * time.Millisecond})
		var held *statefile.LockError
		if !errors.As(err, &held) || held.Info.ID != lock.Info.ID || !held.Info.Created.Equal(lock.Info.Created) {
			t.Fatalf("got %v, want the lock of %s", err, lock.Info.ID)
		}
		for _, part := range []string{"`edgeplan apply` of " + lock.Info.Who, "since", "still after 200ms", lock.Info.ID} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q is not in %v", part, err)
			}
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
		again, err := other.Lock(t.Context(), statefile.LockOptions{Operation: "plan"})
		if err != nil {
			t.Fatalf("the lock was given back, and: %v", err)
		}
		if err := again.Unlock(); err != nil {
			t.Error(err)
		}
	})
}

// A run that was killed leaves a lock on a server: force-unlock needs its ID. The
// lock of a file ends with its holder, which this process is.
func TestForceUnlock(t *testing.T) {
	suite(t, func(t *testing.T, p place) {
		if p.name == "local" {
			return // TestForceUnlock of statefile kills its holder for real
		}
		killed := statefile.OpenBackend(t.TempDir(), p.open())
		lock, err := killed.Lock(t.Context(), statefile.LockOptions{Operation: "apply"})
		if err != nil {
			t.Fatal(err)
		}
		m := statefile.OpenBackend(t.TempDir(), p.open())
		_, err = m.Lock(t.Context(), statefile.LockOptions{})
		if err == nil || !strings.Contains(err.Error(), "edgeplan force-unlock "+lock.Info.ID) {
			t.Errorf("no advice to unlock in: %v", err)
		}
		if err := m.ForceUnlock(t.Context(), "another-id"); !errors.Is(err, statefile.ErrLocked) {
			t.Errorf("another ID: got %v, want ErrLocked", err)
		}
		if err := m.ForceUnlock(t.Context(), lock.Info.ID); err != nil {
			t.Fatal(err)
		}
		next, err := m.Lock(t.Context(), statefile.LockOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := next.Unlock(); err != nil {
			t.Error(err)
		}
	})
}

// Writes under a lock carry its ID: a server that knows of the lock takes them.
func TestRecordsUnderTheLock(t *testing.T) {
	suite(t, func(t *testing.T, p place) {
		m := statefile.OpenBackend(t.TempDir(), p.open())
		lock, err := m.Lock(t.Context(), statefile.LockOptions{Operation: "apply"})
		if err != nil {
			t.Fatal(err)
		}
		s := load(t, m)
		for want := uint64(1); want <= 4; want++ {
			if record(t, m, s); s.Serial != want {
				t.Fatalf("serial %d, want %d", s.Serial, want)
			}
		}
		if err := lock.Unlock(); err != nil {
			t.Error(err)
		}
		if got := load(t, statefile.OpenBackend(t.TempDir(), p.open())); got.Serial != 4 || got.Lineage != s.Lineage {
			t.Errorf("another run reads serial %d of %s", got.Serial, got.Lineage)
		}
	})
}

// Runs that start at once: one has the lock, and all the others are told who.
func TestLockRace(t *testing.T) {
	suite(t, func(t *testing.T, p place) {
		const runs = 8
		var won, named atomic.Int32
		var all sync.WaitGroup
		for range runs {
			b := p.open()
			all.Go(func() {
				_, err := statefile.OpenBackend("", b).Lock(context.Background(), statefile.LockOptions{Operation: "apply"})
				var held *statefile.LockError
				switch {
				case err == nil:
					won.Add(1)
				case errors.As(err, &held):
					named.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || named.Load() != runs-1 {
			t.Errorf("%d of %d runs hold the lock, and %d were told of it", won.Load(), runs, named.Load())
		}
	})
}
