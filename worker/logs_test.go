package worker

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLastLines(t *testing.T) {
	for _, test := range []struct {
		log   string
		lines int
		want  string
	}{
		{"", 3, ""},
		{"a\nb\nc\n", 0, ""},
		{"a\nb\nc\n", 1, "c\n"},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc\n", 9, "a\nb\nc\n"},
		{"a\nb", 1, "b"},
		{"a\n\n", 1, "\n"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, LogFile), []byte(test.log), 0o600); err != nil {
			t.Fatal(err)
		}
		got := &lockedBuffer{}
		if err := Logs(context.Background(), dir, test.lines, false, got); err != nil || got.String() != test.want {
			t.Errorf("the last %d lines of %q are %q, %v", test.lines, test.log, got, err)
		}
	}
}

// What is written while the log is followed comes, also after it was put aside.
func TestLogsFollow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LogFile)
	write := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	got, ended := &lockedBuffer{}, make(chan error, 1)
	go func() { ended <- Logs(ctx, dir, 10, true, got) }()
	expect := func(want string) {
		t.Helper()
		for begin := time.Now(); got.String() != want; time.Sleep(10 * time.Millisecond) {
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	write("first\nsecond\n")
	expect("first\nsecond\n")
	if err := os.Rename(path, path+oldLogSuffix); err != nil {
		t.Fatal(err)
	}
	write("new\n")
	expect("first\nsecond\nnew\n")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
