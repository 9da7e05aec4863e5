package deployer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A file that cannot be flushed fails, unless sync takes no files and flushes everything.
func TestSettlingFlushes(t *testing.T) {
	for name, test := range map[string]struct{ sync, want string }{ // want: part of standard error, "" is none
		"flushes files":          {"exit 0", ""},
		"takes no files":         {"[ $# = 0 ]", ""},
		"fails for a file":       {"case $1 in part) echo input/output error >&2; exit 1;; esac", "input/output error"},
		"fails for the system":   {"echo not for you >&2; exit 1", "not for you"},
		"fails after the digest": {"case $1 in part) sleep 0.2; echo late >&2; exit 1;; esac", "late"},
	} {
		t.Run(name, func(t *testing.T) {
			bin, dir := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "sync"), []byte("#!/bin/sh\n"+test.sync+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "part"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.Command("sh", "-c", settleScript, "settle", dir, "file", "part", "", "600", "part")
			command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			var stderr strings.Builder
			command.Stderr = &stderr
			out, err := command.Output()
			if (err == nil) != (test.want == "") || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("error %v, saying %q", err, stderr.String())
			}
			sums := map[string]string{}
			if err := parseSums(string(out), sums); err != nil || len(sums) != 1 {
				t.Errorf("printed %q: %v", out, err)
			}
		})
	}
}
