package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/edgeplan/edgeplan/internal/servertest"
	"github.com/edgeplan/edgeplan/statefile"
)

// killer ends a process when a server has got, or has carried out, the n-th of its
// requests.
type killer struct {
	mu    sync.Mutex
	at    int // counts both moments of each request; 0 never
	count int
	kill  func()
	said  string // what was going on
}

func (k *killer) around(r *http.Request, done bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kill == nil {
		return
	}
	if k.count++; k.count == k.at {
		k.said = fmt.Sprintf("%s, carried out: %t", r.Method, done)
		k.kill()
	}
}

// A command that is killed around any of its requests to a server leaves the old
// or the new state, and a lock that force-unlock takes away; the next run then
// brings everything to where the killed one was going.
func TestKilledAtEveryRequest(t *testing.T) {
	t.Parallel()
	server := servertest.StartProtocol(t)
	k := &killer{}
	server.Around = k.around
	bed := newWorkbench(t, filepath.Join(program, "edgeplan"))
	bed.write(t, "backend.edgeplan.hcl", fmt.Appendf(nil, "edgeplan {\n  backend \"http\" {\n    address = %q\n    lock_address = %q\n  }\n}\n",
		server.URL+"/state", server.URL+"/state"))
	bed.must(t, "init")
	tried, ended := 0, map[string]bool{}
	steps := []crashStep{
		{"first apply", []string{"apply", "-auto-approve"}, false},
		{"changing apply", []string{"apply", "-auto-approve", "-var", "threads=2"}, false},
		{"destroy", []string{"destroy", "-auto-approve"}, true},
	}
	some := []int{3, 10}
	for n := 1; len(ended) < len(steps); n++ {
		if !*everyPoint && n > slices.Max(some) {
			break
		}
		if !*everyPoint && !slices.Contains(some, n) {
			continue
		}
		for _, step := range steps {
			switch {
			case ended[step.name]:
				bed.must(t, step.args...)
			case bed.crashRequest(t, server, k, step, n):
				tried++
			default:
				ended[step.name] = true
			}
		}
	}
	t.Logf("killed at %d points, 0 states lost", tried)
	if tried < 3 {
		t.Error("too few points were tried")
	}
}

func (b *workbench) crashRequest(t *testing.T, server *servertest.Protocol, k *killer, step crashStep, n int) bool {
	t.Helper()
	before := b.pull(t)
	command := b.command(nil, step.args...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	k.mu.Lock()
	k.at, k.count = n, 0
	k.kill = func() { _ = command.Process.Kill() }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	k.mu.Unlock()
	err := command.Wait()
	k.mu.Lock()
	k.kill = nil
	where := fmt.Sprintf("%s, killed at moment %d (%s)", step.name, n, k.said)
	k.mu.Unlock()
	if err == nil {
		return false
	}
	if !wasKilled(err) {
		t.Fatalf("%s: ended by itself: %v\n%s", where, err, &output)
	}
	checkOldOrNew(t, where, before, b.pull(t))
	if lock := server.Lock("/state"); lock != nil {
		b.must(t, "force-unlock", "-force", statefile.ParseLockInfo(lock).ID)
	}
	b.finish(t, where, step)
	return true
}

func (b *workbench) pull(t *testing.T) []byte {
	t.Helper()
	content, err := b.command(nil, "state", "pull").Output()
	if err != nil {
		t.Fatalf("state pull: %v", err)
	}
	return content
}

// checkOldOrNew wants a whole state that goes on from the one before.
func checkOldOrNew(t *testing.T, where string, before, after []byte) {
	t.Helper()
	if bytes.Equal(before, after) {
		return
	}
	now, err := statefile.Parse("state", after)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	if len(before) == 0 {
		return
	}
	was, err := statefile.Parse("before", before)
	if err != nil || now.Lineage != was.Lineage || now.Serial <= was.Serial {
		t.Fatalf("%s: serial %d of %s became %d of %s (%v)", where, was.Serial, was.Lineage, now.Serial, now.Lineage, err)
	}
}
