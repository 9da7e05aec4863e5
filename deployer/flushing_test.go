package deployer

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/worker"
)

// tools puts shell scripts into a folder, by name, and gives an environment in which they come first.
func tools(t *testing.T, scripts map[string]string) []string {
	t.Helper()
	bin := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
}

// A script that flushes tells of it while the system writes, ends with the command, and as it does.
func TestFlushingTells(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		written string // instead of the system's count
		tells   bool
	}{
		"writes":        {"date +%N", true},
		"does nothing":  {"echo 1", false},
		"does not tell": {"exit 1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.Command("sh", "-c", flushingFunction+`work() { `+sleep+` 2; echo done; return 3; }; flushing work`)
			command.Env = tools(t, map[string]string{"sleep": "exec " + sleep + " 0.1", "sed": test.written})
			out, err := command.Output()
			if command.ProcessState.ExitCode() != 3 || !strings.HasSuffix(string(out), "done\n") {
				t.Errorf("printed %q, %v", out, err)
			}
			if tells := strings.HasPrefix(string(out), worker.ReceiveFlushing+"\n"); tells != test.tells {
				t.Errorf("printed %q", out)
			}
		})
	}
}

// A device that flushes for longer than the limit is waited for as long as it writes, but not for ever.
func TestFlushingIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	o := c.options.withDefaults()
	o.flushLimit = 5 * time.Second
	const limit, tells = 4 * time.Second, "echo " + worker.ReceiveFlushing + "; sleep 0.5; "
	for name, test := range map[string]struct{ script, want string }{
		"writes":             {"for i in 1 2 3 4 5 6 7 8 9 10; do " + tells + "done; echo done", ""},
		"does nothing":       {"sleep 60", "said nothing for the last 4s"},
		"writes without end": {"while :; do " + tells + "done", "said nothing for the last 4s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice("a", c.nodes["a"], o)
			defer d.close()
			out, err := d.runFlushing(context.Background(), limit, "sh", "-c", test.script, "flush")
			switch {
			case test.want == "" && (err != nil || out != "done\n"):
				t.Errorf("printed %q, %v", out, err)
			case test.want != "":
				mentions(t, err, test.want)
			}
		})
	}
}
