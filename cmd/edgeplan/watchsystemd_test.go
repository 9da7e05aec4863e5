package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/testbed"
)

// The places of a watchSystem, as it sees them.
const (
	systemFolder  = testbed.SharedFolder + "/cluster"
	systemHome    = testbed.SharedFolder + "/home"
	systemProgram = testbed.SharedFolder + "/edgeplan"
	systemDevice  = testbed.SharedFolder + "/device"
)

// watchSystem is a systemd with a device, and the folder of an operator who is the user
// daemon.
type watchSystem struct {
	*watchBed
	s *testbed.System
}

func newWatchSystem(t *testing.T) *watchSystem {
	t.Helper()
	if err := testbed.NoSystem(); err != nil {
		t.Skip(err)
	}
	enginetest.Library(t)
	shared := t.TempDir()
	w := &watchSystem{watchBed: &watchBed{workbench: &workbench{dir: filepath.Join(shared, "cluster")}}}
	for _, folder := range []string{w.dir, filepath.Join(shared, "home")} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, from := range map[string]string{"edgeplan": filepath.Join(program, "edgeplan"), "device": os.Args[0]} {
		if out, err := exec.Command("cp", from, filepath.Join(shared, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	key := newKey(t)
	if err := os.WriteFile(filepath.Join(shared, "authorized"), ssh.MarshalAuthorizedKey(key.public), 0o644); err != nil {
		t.Fatal(err)
	}
	w.own(t, shared)
	w.s = testbed.StartSystem(t, shared)
	w.must(t, "ip", "link", "set", "lo", "up")
	w.configure(t, w.startDevice(t), key.private)
	w.own(t, shared)
	return w
}

// own gives all to the user.
func (w *watchSystem) own(t *testing.T, shared string) {
	t.Helper()
	if out, err := exec.Command("chown", "-R", "daemon:daemon", shared).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// configure writes the folder, and collects what is to be deployed.
func (w *watchSystem) configure(t *testing.T, hostKey string, key []byte) {
	t.Helper()
	w.write(t, "id", key)
	w.write(t, "main.edgeplan.hcl", fmt.Appendf(nil, `
ssh {
  identity_file = "id"
}
node "hall" {
  address      = "127.0.0.1"
  port         = 2222
  user         = "daemon"
  host_key     = %q
  architecture = %q
  memory       = "256MiB"
  compute      = "1GFLOPS"
}
model "m" {
  source  = "m.onnx"
  threads = 1
}
`, hostKey, "linux/"+runtime.GOARCH))
	model, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err == nil {
		err = model.WriteFile(filepath.Join(w.dir, "m.onnx"))
	}
	if err != nil {
		t.Fatal(err)
	}
	initFolder(t, w.dir)
}

// startDevice serves SSH as the user until the test ends, and gives the host key.
func (w *watchSystem) startDevice(t *testing.T) (hostKey string) {
	t.Helper()
	command := w.command(asDaemon, "env", bedDevice+"=127.0.0.1:2222 "+systemHome, systemDevice)
	in, err1 := command.StdinPipe()
	out, err2 := command.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = command.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the device does not start: %v", lines.Err())
	}
	return lines.Text()
}

var (
	asRoot   []string
	asDaemon = []string{"setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "env", "HOME=" + systemHome, "USER=daemon"}
)

func (w *watchSystem) command(as []string, args ...string) *exec.Cmd {
	words := append(append([]string{}, as...), args...)
	command := w.s.Command(words[0], words[1:]...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	return command
}

// must runs something as root.
func (w *watchSystem) must(t *testing.T, args ...string) string {
	t.Helper()
	return w.mustAs(t, asRoot, args...)
}

func (w *watchSystem) mustAs(t *testing.T, as []string, args ...string) string {
	t.Helper()
	out, err := w.command(as, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// property is one of the unit's.
func (w *watchSystem) property(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(w.must(t, "systemctl", "show", "--value", "--property="+name, watchUnitName))
}

const watchUnitName = "edgeplan-watch.service"

// The unit that is printed is one under which a watch does all that it has to: it starts,
// looks, plans, applies and writes its log and the state, and it ends in order.
func TestWatchUnderSystemd(t *testing.T) {
	t.Parallel()
	w := newWatchSystem(t)
	w.mustAs(t, asDaemon, systemProgram, "-chdir="+systemFolder, "apply", "-auto-approve")
	w.must(t, "sh", "-c", "cd "+systemFolder+" && "+strings.Join(asDaemon, " ")+" "+systemProgram+
		" watch -auto-approve -interval 300ms -grace 1s -settle 1s -period 1s -log events -print-unit >/etc/systemd/system/"+watchUnitName)
	w.must(t, "systemctl", "daemon-reload")
	w.must(t, "systemctl", "enable", "--now", watchUnitName)
	w.await(t, time.Minute, "start", "watching 1 device")
	first := w.property(t, "MainPID")
	if status := w.must(t, "cat", "/proc/"+first+"/status"); !strings.Contains(status, "NoNewPrivs:\t1") || !strings.Contains(status, "CapBnd:\t0000000000000000") {
		t.Errorf("it is not hardened:\n%s", status)
	}

	release := w.must(t, "sh", "-c", "readlink -f "+systemHome+"/.edgeplan/m-*/current")
	worker := path.Join(strings.TrimSpace(release), "edgeplan-worker")
	w.mustAs(t, asDaemon, worker, "stop", path.Dir(worker))
	w.await(t, time.Minute, "applied", "repair node.hall")
	if pid := w.property(t, "MainPID"); pid != first {
		t.Errorf("it was started again: %s, and then %s", first, pid)
	}

	w.must(t, "systemctl", "restart", watchUnitName)
	w.must(t, "systemctl", "stop", watchUnitName) // perhaps before it has begun
	if state, result := w.property(t, "ActiveState"), w.property(t, "Result"); state != "inactive" || result != "success" {
		t.Errorf("stopped it is %s, with %s", state, result)
	}
	counts := map[string]int{}
	for _, e := range w.events(t) {
		counts[e.Event]++
	}
	if counts["start"] != counts["stop"] || counts["failed"]+counts["state-lost"] > 0 {
		t.Errorf("events %v", counts)
	}
	if info, err := os.Stat(filepath.Join(w.dir, "events")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is %v, %v", info.Mode(), err)
	}
}
