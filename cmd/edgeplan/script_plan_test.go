package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// onTerminal is `tty COLUMNS FILE PROGRAM ARG…`: it runs a program on a terminal of
// that width, and writes all that it prints there to a file.
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	columns, err := strconv.ParseUint(args[0], 10, 16)
	ts.Check(err)
	cmd := exec.Command(lookPath(ts, args[2]), args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environment(ts)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: uint16(columns)})
	ts.Check(err)
	defer terminal.Close()
	var out bytes.Buffer
	if _, err := io.Copy(&out, terminal); err != nil && !isClosed(err) {
		ts.Fatalf("read the terminal: %v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), bytes.ReplaceAll(out.Bytes(), []byte("\r\n"), []byte("\n")), 0o644))
	if failed := cmd.Wait() != nil; failed != neg {
		ts.Fatalf("%s: failed is %v, want %v:\n%s", strings.Join(args[2:], " "), failed, neg, out.String())
	}
}

// isClosed: Linux reports EIO once the program on a terminal has ended.
func isClosed(err error) bool {
	pathError, ok := err.(*os.PathError)
	return ok && pathError.Err == syscall.EIO
}

func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range strings.Split(ts.Getenv("PATH"), ":") {
		if info, err := os.Stat(dir + "/" + name); err == nil && !info.IsDir() {
			return dir + "/" + name
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

// environment is a script's, as far as these tests need it.
func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "NO_COLOR", "TERM", "EDGEPLAN_LOG", "SECRET"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// pretend is `pretend PLAN`: the state is what carrying the saved plan out leaves.
func pretend(ts *testscript.TestScript, _ bool, args []string) {
	saved, err := plan.ParseSaved([]byte(ts.ReadFile(args[0])), version.Version)
	ts.Check(err)
	state := statefile.Clone(saved.Plan.Desired)
	state.Serial = saved.Plan.Prior.Serial + 1
	for address, node := range state.Nodes {
		node.PublicKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
		state.Nodes[address] = node
	}
	content, err := statefile.EncodeState(state)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(statefile.StateFile), content, 0o600))
}

// held are the operations of a script's devices that wait to be released.
type held struct {
	waiting  chan struct{} // closed once one waits
	released chan struct{}
}

// hold is `hold NAME TEXT`: from now on the device leaves every operation whose name
// holds the text waiting until `release NAME`; those that bring a part of a large file
// where the text is "upload".
func hold(ts *testscript.TestScript, _ bool, args []string) {
	h := held{make(chan struct{}), make(chan struct{})}
	var first sync.Once
	ts.Value(devicesKey{}).(*devices).held[args[0]] = h
	embedded(ts, args[0]).SetFault(func(op device.Operation) device.Action {
		if strings.Contains(op.Name, args[1]) || args[1] == "upload" && op.Bytes > leaseBytes {
			first.Do(func() { close(h.waiting) })
			<-h.released
		}
		return device.Proceed
	})
}

// leaseBytes is more than a lease has, the other file that an apply writes.
const leaseBytes = 4 << 10

// halt is `halt NAME`: stops the worker of a device, which then stays down. One that
// is killed would come back by itself.
func halt(ts *testscript.TestScript, _ bool, args []string) {
	locks, err := filepath.Glob(ts.MkAbs("homes/" + args[0] + "/.edgeplan/*/current/" + worker.LockFile))
	ts.Check(err)
	for _, lock := range locks {
		ts.Check(worker.Stop(context.Background(), filepath.Dir(lock)))
	}
}

// awaitHeld is `held NAME`: it goes on once an operation waits.
func awaitHeld(ts *testscript.TestScript, _ bool, args []string) {
	select {
	case <-ts.Value(devicesKey{}).(*devices).held[args[0]].waiting:
	case <-time.After(time.Minute):
		ts.Fatalf("nothing waits on %s", args[0])
	}
}

// release is `release NAME`: what waits goes on, and nothing waits any more.
func release(ts *testscript.TestScript, _ bool, args []string) {
	close(ts.Value(devicesKey{}).(*devices).held[args[0]].released)
	embedded(ts, args[0]).SetFault(nil)
}
