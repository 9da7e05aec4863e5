package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// receiving starts the worker program as it is started on a device; its standard input stays open.
func receiving(t *testing.T, command *exec.Cmd) (in io.WriteCloser, stderr *bytes.Buffer) {
	t.Helper()
	command.Env = append(os.Environ(), asWorker+"=1")
	stderr = new(bytes.Buffer)
	command.Stderr = stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.AfterFunc(time.Minute, func() { _ = command.Process.Kill() })
	t.Cleanup(func() { deadline.Stop(); _ = command.Process.Kill() })
	return in, stderr
}

// receive ends with SIGTERM, even where its standard input neither brings nor ends.
func TestReceiveEndsWithASignal(t *testing.T) {
	dir := t.TempDir()
	command := exec.Command(os.Args[0], "receive", dir)
	in, _ := receiving(t, command)
	if _, err := io.WriteString(in, worker.Incoming{Name: ".tmp-a", Size: 5}.Line()+"par"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, ".tmp-a")); err == nil {
			break
		} else if !os.IsNotExist(err) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("it ended as %v", command.ProcessState)
	}
}

// What cannot be written ends it at once, with the reason, though more could come in.
func TestReceiveEndsWhenNothingCanBeWritten(t *testing.T) {
	command := exec.Command("sh", "-c", `ulimit -f 1000 && exec "$0" receive "$1"`, os.Args[0], t.TempDir())
	in, stderr := receiving(t, command)
	go func() {
		_, _ = io.WriteString(in, worker.Incoming{Name: ".tmp-a", Size: 1 << 30}.Line())
		_, _ = in.Write(make([]byte, 4<<20)) // fails where it has ended
	}()
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "file too large") {
		t.Errorf("it ended as %v, saying %q", command.ProcessState, stderr)
	}
}
