package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFailuresAreLoggedOnceASecond(t *testing.T) {
	var out strings.Builder
	f := failureLog{log: slog.New(slog.NewTextHandler(&out, nil))}
	begin := time.Now()
	for i := range 2500 {
		f.note(begin.Add(time.Duration(i)*time.Millisecond), fmt.Sprint("r", i), errors.New("broken"))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), &out)
	}
	for i, want := range []string{"request=r0 error=broken", "request=r1000 error=broken failed_since_last_line=999", "request=r2000"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
	if strings.Contains(lines[0], "since") {
		t.Errorf("the first line counts: %s", lines[0])
	}
}

func TestLogIsPutAsideWhileRunning(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LogFile)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := []byte(strings.Repeat("x", 64<<10-1) + "\n")
	w := boundLog(f, dir)
	for range 3 * maxLogBytes / len(line) {
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	w.Write([]byte("the end\n"))
	for _, name := range []string{path, path + oldLogSuffix} {
		info, err := os.Stat(name)
		if err != nil || info.Size() == 0 || info.Size() > maxLogBytes || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if data, _ := os.ReadFile(path); !strings.HasSuffix(string(data), "x\nthe end\n") && string(data) != "the end\n" {
		t.Errorf("the last line is not at the end")
	}
}

// A file that is not the release's log is left alone.
func TestOtherLogsAreNotBounded(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "mine.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if boundLog(f, dir) != f {
		t.Error("another file is bounded")
	}
	var out strings.Builder
	if boundLog(&out, dir) != &out {
		t.Error("a buffer is bounded")
	}
}
