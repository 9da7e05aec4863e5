package main

import (
	"bytes"
	"strings"
	"testing"
)

// Every command explains itself: usage, options, examples and exit codes, on
// standard output.
func TestHelp(t *testing.T) {
	for _, cmd := range commands() {
		t.Run(cmd.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run([]string{cmd.name, "-help"}, strings.NewReader(""), &stdout, &stderr)
			if code != exitOK || stderr.Len() > 0 {
				t.Errorf("exit code %d and on standard error %q, want 0 and nothing", code, stderr.String())
			}
			for _, want := range []string{"Usage: edgeplan " + cmd.name, "Examples:\n  ", "edgeplan " + cmd.name, "Exit codes:"} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("the help has no %q:\n%s", want, stdout.String())
				}
			}
			for _, line := range strings.Split(stdout.String(), "\n") {
				if len(line) > 160 {
					t.Errorf("a line of %d columns: %s", len(line), line)
				}
			}
		})
	}
}
