package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/porttest"
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
	t.Cleanup(func() { guard.Process.Signal(syscall.SIGTERM) })
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
	m.Listen, m.Release = porttest.Address(t), "r2"
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

func ready(s worker.Status) bool { return s.Ready }

// writeLease is what a run writes to edgeplan's folder of a release folder.
func writeLease(t *testing.T, dir, name, token string) {
	t.Helper()
	file := filepath.Join(dir, "..", "..", "..", name)
	if err := os.WriteFile(file, []byte("token="+token+"\nowner=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A run that ends without a word has what it stopped started again, and again when
// its last command stops it still; until another run takes the device over.
func TestGuardBringsBack(t *testing.T) {
	t.Parallel()
	old := gatewayOnly(t)
	writeLease(t, old, "lease.9", "first")
	stdin, ended := guarded(t, old)
	next := beside(t, old)
	stdin.Close()
	becomes(t, "be started again", old, 30*time.Second, ready)
	if mustStatus(t, next).Running {
		t.Errorf("the new release: %+v", mustStatus(t, next))
	}
	if _, errOut, err := program(t, "stop", old); err != nil {
		t.Fatal(err, errOut)
	}
	becomes(t, "be started once more", old, 30*time.Second, ready)
	writeLease(t, old, "lease.10", "second")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// A release that was promised may be the gateway's by now: it goes on.
func TestGuardLeavesWhatWasPromised(t *testing.T) {
	t.Parallel()
	old := gatewayOnly(t)
	stdin, _ := guarded(t, old)
	next := beside(t, old)
	promise(t, next, worker.PromisedLink)
	stdin.Close()
	becomes(t, "be started again", old, 30*time.Second, ready)
	if !mustStatus(t, next).Ready {
		t.Errorf("the new release: %+v", mustStatus(t, next))
	}
}

// Where the run said that it is done, or has switched, nothing is started.
func TestGuardLetsGo(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	dir := gatewayOnly(t)
	deploy(t, dir)
	in, out := io.Pipe()
	defer out.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- worker.Guard(ctx, dir, in, io.Discard, 300*time.Millisecond) }()
	becomes(t, "be started again", dir, 30*time.Second, ready)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("after %s already", took)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
