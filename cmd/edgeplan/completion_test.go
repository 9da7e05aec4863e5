package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/edgeplan/edgeplan/statefile"
)

// Completion is tried in the shells themselves, on a terminal: a line is typed up to
// some place, Tab is pressed, and the line is run. A stand-in for edgeplan prints
// its arguments, so that quoting is seen as the shell sees it.
func TestCompletion(t *testing.T) {
	shells := []struct {
		name  string
		start []string
		load  string
	}{
		{"bash", []string{"bash", "--noprofile", "--norc", "-i"}, "source <(edgeplan completion bash)"},
		{"zsh", []string{"zsh", "-f", "-i"}, "autoload -Uz compinit && compinit -u -D && source <(edgeplan completion zsh)"},
		{"fish", []string{"fish", "--private", "-i"}, "edgeplan completion fish | source"},
	}
	lines := []struct{ typed, want string }{
		{"edgeplan dest", "<destroy>"},
		{"edgeplan plan -detailed", "<plan><-detailed-exitcode>"},
		{"edgeplan plan -target=mod", "<plan><-target=model.classifier>"},
		{"edgeplan apply -target mod", "<apply><-target><model.classifier>"},
		{"edgeplan apply -replace=sl", "<apply><-replace=slice.classifier[0]>"},
		{`edgeplan apply -exclude=node.pi\[\"h`, `<apply><-exclude=node.pi["hall"]>`},
		{"edgeplan apply week", "<apply><weekly.plan>"},
		{"edgeplan plan -out=week", "<plan><-out=weekly.plan>"},
		{"edgeplan probe -only=prof", "<probe><-only=profiles>"},
		{"edgeplan state pul", "<state><pull>"},
		{"edgeplan infer cla", "<infer><classifier>"},
		{"edgeplan completion fi", "# Completion of edgeplan for fish."},
	}
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.name); err != nil {
				t.Skipf("%s is not installed; continuous integration installs it", shell.name)
			}
			s := startShell(t, completionFolder(t), shell.start...)
			s.run(shell.load, "")
			for _, line := range lines {
				s.run(line.typed+"\t", line.want)
			}
		})
	}
}

// completionFolder is a configuration with something deployed and a file that a
// plan could be in.
func completionFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/three-pis")); err != nil {
		t.Fatal(err)
	}
	state := statefile.New()
	state.Serial = 1
	state.Nodes[`node.pi["hall"]`] = statefile.Node{}
	state.Models["classifier"] = statefile.Model{Release: "0123456789ab", Gateway: `node.pi["hall"]`,
		Slices: []statefile.Slice{{Node: `node.pi["hall"]`}}}
	content, err := statefile.EncodeState(state)
	if err != nil {
		t.Fatal(err)
	}
	// Where this lacks, fish begins to fill it, and goes on after its shell has ended.
	if err := os.MkdirAll(filepath.Join(dir, ".local/share/fish/generated_completions"), 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	stub := fmt.Sprintf("#!/bin/sh\ncase $1 in completion|__complete) exec %s \"$@\";; esac\nprintf '<%%s>' \"$@\"; echo\n",
		filepath.Join(program, "edgeplan"))
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{statefile.StateFile: string(content), "weekly.plan": "", "bin/edgeplan": stub} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shell is one on a terminal.
type shell struct {
	t        *testing.T
	terminal *os.File
	mu       sync.Mutex
	out      bytes.Buffer
	n        int
}

func startShell(t *testing.T, dir string, args ...string) *shell {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + "/bin:" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "PS1=> ", "LANG=C.UTF-8"}
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, terminal: terminal}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		terminal.Close()
	})
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := terminal.Read(buffer)
			s.mu.Lock()
			s.out.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// run types a line and waits until it has been run, and checks what it printed.
func (s *shell) run(line, want string) {
	s.t.Helper()
	s.n++
	s.mu.Lock()
	s.out.Reset()
	s.mu.Unlock()
	mark := fmt.Sprintf("mark-%d-end", s.n)
	fmt.Fprintf(s.terminal, "%s\n", line)
	fmt.Fprintf(s.terminal, "echo mark-%d-''end\n", s.n)
	deadline := time.Now().Add(20 * time.Second)
	for {
		s.mu.Lock()
		text := controls.ReplaceAllString(s.out.String(), "")
		s.mu.Unlock()
		if strings.Contains(text, mark) {
			if !strings.Contains(text, want) {
				s.t.Errorf("%q ran as %q, want %s", line, text, want)
			}
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q: the shell does not come back:\n%q", line, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// controls are what moves the cursor and colours on a terminal.
var controls = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>])|\r|\x08`)
