package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// guarded is a worker that was stopped with a guard set, and what the guard hears.
func guarded(t *testing.T, dir string) (stdin io.WriteCloser, ended <-chan error) {
	t.Helper()
	deploy(t, dir)
	if _, errOut, err := program(t, "start", dir); err != nil {
		t.Fatal(err, errOut)
	}
	guard := exec.Command(os.Args[0], "guard", dir)
	guard.Env = append(os.Environ(), asWorker+"=1")
	stdin, err := guard.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := guard.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(stdout)
	for _, word := range []string{"", "alive\n"} {
		io.WriteString(stdin, word)
		if !answers.Scan() || answers.Text() != worker.GuardArmed {
			t.Fatalf("the guard says %q", answers.Text())
		}
	}
	if _, errOut, err := program(t, "stop", dir); err != nil {
		t.Fatal(err, errOut)
	}
	done := make(chan error, 1)
	go func() { done <- guard.Wait() }()
	return stdin, done
}

// beside starts another release of the deployment.
func beside(t *testing.T, old string) string {
	t.Helper()
	next := filepath.Join(filepath.Dir(old), "r2")
	if err := os.Mkdir(next, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{worker.PeersFile, worker.ProgramFile} {
		if err := os.Link(filepath.Join(old, name), filepath.Join(next, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { worker.Stop(context.Background(), next) })
	m, err := worker.ReadManifest(old)
	if err != nil {
		t.Fatal(err)
	}
	m.Listen, m.Release = freeAddress(t), "r2"
	write(t, next, worker.ManifestFile, m)
	if _, errOut, err := program(t, "start", next); err != nil {
		t.Fatal(err, errOut)
	}
	return next
}

// promise makes the link that the deployer makes before the gateway switches.
func promise(t *testing.T, dir, link string) {
	t.Helper()
	path := filepath.Join(dir, "..", "..", link)
	os.Remove(path)
	if err := os.Symlink("releases/"+filepath.Base(dir), path); err != nil {
		t.Fatal(err)
	}
}

// A run that ends without a word has what it stopped started again.
func TestGuardBringsBack(t *testing.T) {
	old := gatewayOnly(t)
	stdin, ended := guarded(t, old)
	next := beside(t, old)
	stdin.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !mustStatus(t, old).Ready || mustStatus(t, next).Running {
		t.Errorf("the old release: %+v, the new one: %+v", mustStatus(t, old), mustStatus(t, next))
	}
}

// A release that was promised may be the gateway's by now: it goes on.
func TestGuardLeavesWhatWasPromised(t *testing.T) {
	old := gatewayOnly(t)
	stdin, ended := guarded(t, old)
	next := beside(t, old)
	promise(t, next, worker.PromisedLink)
	stdin.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !mustStatus(t, old).Ready || !mustStatus(t, next).Ready {
		t.Errorf("the old release: %+v, the new one: %+v", mustStatus(t, old), mustStatus(t, next))
	}
}

// Where the run said that it is done, or has switched, nothing is started.
func TestGuardLetsGo(t *testing.T) {
	for name, end := range map[string]func(old, next string, stdin io.WriteCloser){
		"done":     func(_, _ string, stdin io.WriteCloser) { io.WriteString(stdin, worker.GuardDone+"\n") },
		"switched": func(_, next string, stdin io.WriteCloser) { promise(t, next, worker.CurrentLink); stdin.Close() },
	} {
		old := gatewayOnly(t)
		stdin, ended := guarded(t, old)
		next := beside(t, old)
		end(old, next, stdin)
		if err := <-ended; err != nil {
			t.Fatal(name, err)
		}
		if mustStatus(t, old).Running || !mustStatus(t, next).Ready {
			t.Errorf("%s: the old release: %+v, the new one: %+v", name, mustStatus(t, old), mustStatus(t, next))
		}
	}
}

// Silence ends a guard's patience as well: the line may be dead and nobody told.
func TestGuardHearsNothing(t *testing.T) {
	dir := gatewayOnly(t)
	deploy(t, dir)
	in, out := io.Pipe()
	defer out.Close()
	began := time.Now()
	if err := worker.Guard(t.Context(), dir, in, io.Discard, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 300*time.Millisecond || !mustStatus(t, dir).Ready {
		t.Errorf("after %s: %+v", took, mustStatus(t, dir))
	}
}
