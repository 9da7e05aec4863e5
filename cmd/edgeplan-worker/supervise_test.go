package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// becomes waits until something is true of a worker.
func becomes(t *testing.T, what, dir string, limit time.Duration, true func(worker.Status) bool) worker.Status {
	t.Helper()
	var status worker.Status
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if status = mustStatus(t, dir); true(status) {
			return status
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, worker.LogFile))
	t.Fatalf("%s: not within %v: %+v\n%s", what, limit, status, log)
	return status
}

func kill(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}

// lockHolder is the process whose id a lock file has.
func lockHolder(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// A worker that dies comes back by itself, each time; one that is stopped does not.
func TestDeadWorkerComesBack(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	status, err := worker.Start(context.Background(), dir, worker.StartOptions{})
	if err != nil {
		t.Fatal(err, status.Log)
	}
	if status.Supervision != worker.Unregistered {
		t.Errorf("it is kept by %q", status.Supervision)
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		before := status.PID
		kill(t, before, signal)
		status = becomes(t, "come back", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready && s.PID != before })
	}
	log, _ := os.ReadFile(filepath.Join(dir, worker.LogFile))
	if !strings.Contains(string(log), "the worker ended and is started again") || !strings.Contains(string(log), "signal: killed") {
		t.Errorf("the log does not tell:\n%s", log)
	}
	if err := worker.Stop(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	if s := mustStatus(t, dir); s.Running {
		t.Errorf("it runs after stop: %+v", s)
	}
}

// A supervisor that is killed leaves its worker serving; the next one takes it over.
func TestSupervisorAdoptsAWorker(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	first, err := worker.Start(context.Background(), dir, worker.StartOptions{})
	if err != nil {
		t.Fatal(err, first.Log)
	}
	mustRun(t, "kill", "-KILL", lockHolder(t, dir, worker.SupervisorFile))
	time.Sleep(300 * time.Millisecond)
	if s := mustStatus(t, dir); !s.Ready || s.PID != first.PID {
		t.Fatalf("the worker went with its supervisor: %+v", s)
	}
	supervisor := exec.Command(os.Args[0], "supervise", dir)
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	defer supervisor.Wait()
	defer supervisor.Process.Signal(syscall.SIGTERM)
	time.Sleep(time.Second)
	kill(t, first.PID, syscall.SIGKILL)
	becomes(t, "come back", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready && s.PID != first.PID })
}

func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// A second supervisor does no harm.
func TestOneSupervisorAFolder(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	if _, errOut, err := program(t, "start", dir); err != nil {
		t.Fatal(err, errOut)
	}
	before := mustStatus(t, dir).PID
	if _, errOut, err := program(t, "supervise", dir); err == nil || !strings.Contains(errOut, "runs in this folder already") {
		t.Errorf("got %v, %s", err, errOut)
	}
	if s := mustStatus(t, dir); s.PID != before || !s.Ready {
		t.Errorf("got %+v", s)
	}
}

// A supervisor does not outlive its release.
func TestSupervisorEndsWithItsFolder(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	supervisor := exec.Command(os.Args[0], "supervise", dir)
	supervisor.Env = append(os.Environ(), asWorker+"=1")
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	status := becomes(t, "start", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	kill(t, status.PID, syscall.SIGKILL)
	limit := time.AfterFunc(30*time.Second, func() { supervisor.Process.Kill() })
	defer limit.Stop()
	if err := supervisor.Wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

// A worker that cannot start is tried again with growing pauses, as after a
// reboot, and serves once it can.
func TestSupervisorBacksOff(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	peers, err := os.ReadFile(filepath.Join(dir, worker.PeersFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, worker.PeersFile, worker.Peers{})
	supervisor := exec.Command(os.Args[0], "supervise", dir)
	supervisor.Env = append(os.Environ(), asWorker+"=1")
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	var log []byte
	starts, begun := 0, time.Now()
	for took := time.Duration(0); took < 4*time.Second || starts < 2 && took < 30*time.Second; took = time.Since(begun) {
		time.Sleep(50 * time.Millisecond)
		log, _ = os.ReadFile(filepath.Join(dir, worker.LogFile))
		starts = strings.Count(string(log), "is started again")
	}
	if starts < 2 || starts > 5 {
		t.Errorf("%d starts in %s:\n%s", starts, time.Since(begun), log)
	}
	if err := os.WriteFile(filepath.Join(dir, worker.PeersFile), peers, 0o600); err != nil {
		t.Fatal(err)
	}
	becomes(t, "start", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready })
	supervisor.Process.Signal(syscall.SIGTERM)
	if err := supervisor.Wait(); err != nil {
		t.Errorf("an orderly stop is an error: %v", err)
	}
	if s := mustStatus(t, dir); s.Running {
		t.Errorf("the worker outlives an orderly stop of its supervisor: %+v", s)
	}
}
