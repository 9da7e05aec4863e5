package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/edgeplan/edgeplan/internal/porttest"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/worker"
)

// asWorker makes the test binary behave as the program.
const asWorker = "EDGEPLAN_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(worker.SupervisionVariable) == "" { // nothing of a test starts with this machine
		os.Setenv(worker.SupervisionVariable, string(worker.Unregistered))
	}
	if os.Getenv(asWorker) != "" {
		main()
	}
	os.Setenv(asWorker, "1") // of the processes that tests start
	testscript.Main(m, map[string]func(){"edgeplan-worker": main})
}

// The command line, as anyone can read it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv(worker.SupervisionVariable, string(worker.Unregistered))
		return nil
	}})
}

// release writes the folder of a worker and its key, and gives both paths.
func release(t *testing.T, m worker.Manifest, peers worker.Peers) string {
	t.Helper()
	root, err := os.MkdirTemp("", "ep") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "toy-1", "releases", "r1")
	t.Cleanup(func() {
		worker.Stop(context.Background(), dir)
		os.RemoveAll(root)
	})
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, worker.ManifestFile, m)
	write(t, dir, worker.PeersFile, peers)
	return dir
}

func write(t *testing.T, dir, name string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// gatewayOnly is a release that needs no engine and whose stage is not there.
func gatewayOnly(t *testing.T) string {
	t.Helper()
	stage := worker.Peer{Node: "node.far", Address: "127.0.0.1:1"}
	tensors := []tensor.Info{{Name: "x", Type: tensor.Float32, Shape: []int64{1}}}
	other, err := worker.EnsureKey(filepath.Join(t.TempDir(), worker.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return release(t, worker.Manifest{
		FormatVersion: worker.ManifestVersion, Model: "toy", Release: "r1", Node: "node.here", Listen: porttest.Address(t), Queue: 1,
		Gateway: &worker.Gateway{Inputs: tensors, Outputs: tensors, First: stage, Last: stage, TimeoutSeconds: 5},
	}, worker.Peers{"node.far": worker.PublicKey(other)})
}

// program runs the program in a process of its own and gives its output.
func program(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), asWorker+"=1")
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err = command.Run()
	return out.String(), errOut.String(), err
}

func mustStatus(t *testing.T, dir string) worker.Status {
	t.Helper()
	status, err := worker.ReadStatus(dir)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// start, status, stop, twice each: the worker outlives the one that started it,
// is found again, and ends when it is told to.
func TestLifeOfAWorker(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	var started worker.Status
	for range 2 {
		out, errOut, err := program(t, "start", dir)
		if err != nil {
			t.Fatalf("start: %v\n%s", err, errOut)
		}
		var status worker.Status
		if err := json.Unmarshal([]byte(out), &status); err != nil || strings.Count(out, "\n") != 1 {
			t.Fatalf("%q: %v", out, err)
		}
		if !status.Running || !status.Ready || status.Release != "r1" || status.Node != "node.here" || status.Version == "" || status.ResidentBytes == 0 {
			t.Errorf("got %+v", status)
		}
		if started.PID != 0 && started.PID != status.PID {
			t.Errorf("the second start made process %d beside %d", status.PID, started.PID)
		}
		started = status
	}
	if session, err := getsid(started.PID); err != nil || session == own(t) {
		t.Errorf("the worker %d is in session %d: %v", started.PID, session, err)
	}
	if _, errOut, err := program(t, "run", dir); err == nil || !strings.Contains(errOut, "a worker runs in this folder already") {
		t.Errorf("a second run: %v, %s", err, errOut)
	}
	time.Sleep(20 * time.Millisecond)
	if out, _, err := program(t, "status", dir); err != nil || !strings.Contains(out, `"ready":true`) || !strings.Contains(out, `"uptime_seconds":`) {
		t.Errorf("status: %s, %v", out, err)
	}
	for range 2 {
		if _, errOut, err := program(t, "stop", dir); err != nil {
			t.Errorf("stop: %v, %s", err, errOut)
		}
		if status := mustStatus(t, dir); status.Running || status.Ready {
			t.Errorf("after stop: %+v", status)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, worker.LogFile))
	if err != nil || !strings.Contains(string(log), "msg=stopped") {
		t.Errorf("it did not stop cleanly: %v\n%s", err, log)
	}
	if _, err := os.Stat(filepath.Join(dir, worker.SocketFile)); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func own(t *testing.T) int {
	t.Helper()
	session, err := getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func getsid(pid int) (int, error) {
	sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(sid), nil
}

// What an SSH server does at the end of a session: the process group gets a hang-up.
func TestWorkerSurvivesTheEndOfItsSession(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	shell := exec.Command("/bin/sh", "-c", `"$0" start "$1" && echo up && sleep 60`, os.Args[0], dir)
	shell.Env = append(os.Environ(), asWorker+"=1")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	seen := make([]byte, 0, 1024)
	for buffer := make([]byte, 1024); !bytes.Contains(seen, []byte("up\n")); {
		n, err := out.Read(buffer)
		if seen = append(seen, buffer[:n]...); err != nil {
			t.Fatalf("%s: %v", seen, err)
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGKILL} {
		if err := syscall.Kill(-shell.Process.Pid, signal); err != nil && signal == syscall.SIGHUP {
			t.Fatal(err)
		}
	}
	io.Copy(io.Discard, out) // ends only when nobody holds the shell's output any more
	shell.Wait()
	if status := mustStatus(t, dir); !status.Ready {
		t.Errorf("the worker died with the session: %+v", status)
	}
}

func TestStartTellsWhyAWorkerEnds(t *testing.T) {
	dir := gatewayOnly(t)
	write(t, dir, worker.PeersFile, worker.Peers{})
	out, errOut, err := program(t, "start", dir)
	if err == nil || !strings.Contains(errOut, "the worker ended at once") {
		t.Errorf("got %v, %s", err, errOut)
	}
	var status worker.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil || !strings.Contains(status.Log, "no key for the neighbour node.far") || status.Running {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestWorkerThatTakesTooLongIsStopped(t *testing.T) {
	dir := gatewayOnly(t)
	_, errOut, err := program(t, "start", dir, "-timeout", "1ms")
	if err == nil || !strings.Contains(errOut, "it was not ready within 1ms") {
		t.Errorf("got %v, %s", err, errOut)
	}
	if status := mustStatus(t, dir); status.Running {
		t.Errorf("got %+v", status)
	}
}

// A dead worker's id may belong to somebody else by now.
func TestStopLeavesOthersAlone(t *testing.T) {
	dir := gatewayOnly(t)
	bystander := exec.Command("sleep", "60")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { bystander.Process.Kill(); bystander.Wait() }()
	lock := filepath.Join(dir, worker.LockFile)
	if err := os.WriteFile(lock, fmt.Appendln(nil, bystander.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := worker.Stop(context.Background(), dir); err != nil {
		t.Error(err)
	}
	if status := mustStatus(t, dir); status.Running {
		t.Errorf("got %+v", status)
	}
	if !alive(bystander.Process.Pid) {
		t.Error("the wrong process was stopped")
	}
}

func TestKilledWorkerStartsAgain(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	first, err := worker.Start(context.Background(), dir, worker.StartOptions{})
	if err != nil {
		t.Fatal(err, first.Log)
	}
	key, err := worker.KeyPath(dir)
	if err == nil { // the clock was behind when the device started
		err = os.Chtimes(key, time.Time{}, time.Now().Add(time.Hour))
	}
	if err != nil {
		t.Fatal(err)
	}
	if first.OldKey || mustStatus(t, dir).OldKey {
		t.Error("it began with another key than the device has")
	}
	rotateKey(t, dir)
	if status := mustStatus(t, dir); !status.OldKey || !status.Ready {
		t.Errorf("the key before goes unnoticed: %+v", status)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		if !mustStatus(t, dir).Running {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	second, err := worker.Start(context.Background(), dir, worker.StartOptions{})
	if err != nil || second.PID == first.PID || second.OldKey {
		t.Errorf("got %+v, %v", second, err)
	}
}

// rotateKey gives the device of a release folder another key.
func rotateKey(t *testing.T, dir string) {
	t.Helper()
	path, err := worker.KeyPath(dir)
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		_, err = worker.EnsureKey(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The operator's way: a client over the standard input and output of `proxy`.
func TestProxy(t *testing.T) {
	t.Parallel()
	dir := gatewayOnly(t)
	if _, errOut, err := program(t, "proxy", dir); err == nil || !strings.Contains(errOut, "no worker answers") {
		t.Errorf("without a worker: %v, %s", err, errOut)
	}
	if _, errOut, err := program(t, "start", dir); err != nil {
		t.Fatal(err, errOut)
	}
	client, ended := overProxy(t, dir)
	ready, err := client.Ready(context.Background())
	if err != nil || !ready {
		t.Errorf("ready: %v, %v", ready, err)
	}
	if _, err := client.Infer(context.Background(), "dog", "", nil); err == nil || !strings.Contains(err.Error(), `no model "dog"`) {
		t.Errorf("got %v", err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the proxy: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the proxy does not end with its input")
	}
}

// overProxy connects to a worker as SSH would: through a process.
func overProxy(t *testing.T, dir string) (*worker.Client, <-chan error) {
	t.Helper()
	command := exec.Command(os.Args[0], "proxy", dir)
	command.Env = append(os.Environ(), asWorker+"=1")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	client, err := worker.NewClient(worker.Pipe(out, in, in.Close))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	return client, ended
}
