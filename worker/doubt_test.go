package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/porttest"
)

// promise makes, in the deployment of a worker, its release the current one and another one promised, as
// after a switch that was not finished and a restart of the device.
func (c *cluster) promise(i int) (next string) {
	c.t.Helper()
	deployment := filepath.Dir(filepath.Dir(c.workers[i].dir))
	next = filepath.Join(deployment, "releases", "next")
	m := c.manifests[i]
	m.Release, m.Listen = "next", porttest.Address(c.t)
	own := c.workers[i].dir
	peers, err := os.ReadFile(filepath.Join(own, PeersFile))
	if err := errors.Join(err, os.Mkdir(next, 0o700), os.Symlink("releases/r", filepath.Join(deployment, CurrentLink)),
		os.Symlink("releases/next", filepath.Join(deployment, PromisedLink)), os.WriteFile(filepath.Join(next, PeersFile), peers, 0o600)); err != nil {
		c.t.Fatal(err)
	}
	c.workers[i].dir = next
	c.write(i, ManifestFile, m)
	c.workers[i].dir = own
	return next
}

// A device that starts again between promise and switch loads the release that its neighbours call
// for, and not the other beside it.
func TestDoubtEndsWithACall(t *testing.T) {
	c := newCluster(t, layout{stages: 3, gateway: 0}).start()
	c.stopOne(1)
	next := c.promise(1)
	loaded := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, next, Options{Log: c.log, open: func(string, Stage) (engine, error) {
			loaded <- struct{}{}
			return c.engines[1], nil
		}})
	}()
	for end := time.Now().Add(time.Minute); !strings.Contains(c.log.String(), "release=next"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not say that it waits")
		}
	}
	c.startOne(1) // waits until it is ready
	if _, err := c.client(0).Infer(context.Background(), testModel, "", request(8, 1)); err != nil {
		t.Error(err)
	}
	if len(loaded) > 0 {
		t.Error("the other release was loaded, too")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A gateway is not in doubt: what is current serves. Elsewhere a run that starts the release ends the doubt.
func TestDoubtEnds(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 0})
	for _, test := range []struct {
		name string
		node int
		next bool                               // which of the two
		do   func(dir, deployment string) error // nil: it was not in doubt
	}{
		{"gateway, current", 0, false, nil},
		{"gateway, promised", 0, true, func(_, deployment string) error {
			return os.Rename(filepath.Join(deployment, PromisedLink), filepath.Join(deployment, CurrentLink))
		}},
		{"stage, current, the promise is taken back", 1, false, func(_, deployment string) error {
			return os.Remove(filepath.Join(deployment, PromisedLink))
		}},
		{"stage, promised, started", 1, true, func(dir, _ string) error { return writeMark(dir, "", Unregistered) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := c.workers[test.node].dir
			deployment := filepath.Dir(filepath.Dir(dir))
			for _, name := range []string{CurrentLink, PromisedLink, "releases/next"} {
				_ = os.RemoveAll(filepath.Join(deployment, name))
			}
			if next := c.promise(test.node); test.next {
				dir = next
			}
			ended := make(chan error, 1)
			go func() { ended <- awaitCall(t.Context(), dir, c.log) }()
			if test.do != nil {
				select {
				case err := <-ended:
					t.Fatalf("it did not wait, %v", err)
				case <-time.After(doubtEvery / 5):
				}
				if err := test.do(dir, deployment); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("it waits on")
			}
		})
	}
}

// The release that the doubt does not end in favour of is not loaded before it is stopped.
func TestDoubtEndsForTheOther(t *testing.T) {
	for name, end := range map[string]func(deployment string) (waits string, err error){
		"the other is current": func(deployment string) (string, error) {
			return "own", os.Rename(filepath.Join(deployment, PromisedLink), filepath.Join(deployment, CurrentLink))
		},
		"the promise is taken back": func(deployment string) (string, error) {
			return "next", os.Remove(filepath.Join(deployment, PromisedLink))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, layout{stages: 2, gateway: 0})
			dirs := map[string]string{"own": c.workers[1].dir, "next": c.promise(1)}
			type outcome struct {
				who string
				err error
			}
			ended := make(chan outcome, 2)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			for who, dir := range dirs {
				go func() { ended <- outcome{who, awaitCall(ctx, dir, c.log)} }()
			}
			for begun := time.Now(); strings.Count(c.log.String(), "is not loaded before it is called for") < 2; time.Sleep(10 * time.Millisecond) {
				if time.Since(begun) > time.Minute {
					t.Fatal("they do not say that they wait")
				}
			}
			waits, err := end(filepath.Dir(filepath.Dir(dirs["own"])))
			if err != nil {
				t.Fatal(err)
			}
			if first := <-ended; first.who == waits || first.err != nil {
				t.Errorf("%s ended with %v", first.who, first.err)
			}
			select {
			case second := <-ended:
				t.Errorf("%s would be loaded, %v", second.who, second.err)
			case <-time.After(2 * doubtEvery):
			}
			stop()
			if second := <-ended; second.who != waits || second.err != nil {
				t.Errorf("%s ended with %v", second.who, second.err)
			}
		})
	}
}
