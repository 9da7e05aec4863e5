package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The log is private, goes on where it was, is put aside when it is full, and takes no
// more than twice its bound.
func TestWatchJournal(t *testing.T) {
	defer func(n int64) { maxJournal = n }(maxJournal)
	maxJournal = 2000
	path := filepath.Join(t.TempDir(), "events")
	c := &cli{secrets: &redactor{}}
	c.secrets.add([]string{"sesame-sesame"})
	for run := range 2 {
		j, err := openJournal(c, path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if err := j.append(event{Event: eventAway, Message: fmt.Sprintf("%d %d sesame-sesame <&>", run, i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > maxJournal || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		content, _ := os.ReadFile(name)
		for line := range bytes.Lines(content) {
			var e event
			if err := json.Unmarshal(line, &e); err != nil || !strings.HasSuffix(e.Message, " (sensitive value) <&>") {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	content, _ := os.ReadFile(path)
	if !bytes.Contains(content, []byte(`"1 99 `)) {
		t.Error("the last event is not in the newest file")
	}
	if _, err := openJournal(c, filepath.Dir(path)); err == nil {
		t.Error("a folder was taken for a log")
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(c, pipe); err == nil {
		t.Error("a pipe was taken for a log")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(c, path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("a log that others could read stays so: %v, %v", info.Mode(), err)
	}
}
