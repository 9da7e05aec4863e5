package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// receive ends with SIGTERM, even where its standard input neither brings nor ends.
func TestReceiveEndsWithASignal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "blob")
	command := exec.Command(os.Args[0], "receive", file, "0")
	command.Env = append(os.Environ(), asWorker+"=1")
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		} else if !os.IsNotExist(err) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	deadline := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
	defer deadline.Stop()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("it ended as %v", command.ProcessState)
	}
}
