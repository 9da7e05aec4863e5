package testbed

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed system.sh
var systemScript string

// SharedFolder is where a System has the folder that it shares with the test.
const SharedFolder = "/srv/edgeplan"

// System is a systemd that runs as the first process of namespaces of its own, over
// this machine's file system, of which it sees a copy that goes away with it. It
// starts nothing but what is added.
type System struct {
	t      testing.TB
	shared string
	kept   string     // folder of the changes to the file system
	holder *namespace // of the file system with the changes
	script string
	groups []string
	run    *exec.Cmd
	first  int // process id of systemd on this machine
}

// NoSystem says why this machine and user cannot boot a System; nil is that they can.
func NoSystem() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root")
	}
	for _, program := range []string{"/lib/systemd/systemd", "unshare", "nsenter", "systemctl"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: install systemd and util-linux", program)
		}
	}
	try := exec.Command("unshare", "--mount", "--pid", "--fork", "--cgroup", "--net", "--uts", "--ipc", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
	if out, err := try.CombinedOutput(); err != nil {
		return fmt.Errorf("no namespaces are to be had: %v: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// holdScript keeps a file system in memory at $1 until its standard input ends, and
// then ends what runs in the control groups that follow: the test may have been killed.
const holdScript = `
mount -t tmpfs tmpfs "$1" && echo ready && cat
shift
for group; do
	xargs -r kill -KILL <"$group/cgroup.procs"
done 2>/dev/null
`

// StartSystem boots one that ends with the test, and shares a folder with it.
func StartSystem(t testing.TB, shared string) *System {
	t.Helper()
	s := &System{t: t, shared: shared, script: filepath.Join(t.TempDir(), "boot")}
	if err := os.WriteFile(s.script, []byte(systemScript), 0o600); err != nil {
		t.Fatal(err)
	}
	s.kept = t.TempDir()
	s.groups = s.makeGroups()
	t.Cleanup(s.removeGroups)
	holder, err := newNamespace(exec.Command("unshare", append([]string{"--mount", "sh", "-c", holdScript, "hold", s.kept}, s.groups...)...))
	if err != nil {
		t.Fatal(err)
	}
	s.holder = holder
	t.Cleanup(holder.end)
	t.Cleanup(s.powerOff)
	s.boot()
	return s
}

// makeGroups makes the control groups that are the roots of what the System sees.
func (s *System) makeGroups() []string {
	s.t.Helper()
	const root = "/sys/fs/cgroup"
	parents := []string{filepath.Join(root, "memory"), filepath.Join(root, "systemd")}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		parents = []string{root}
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory +pids"), 0)
	}
	var groups []string
	for _, parent := range parents {
		group := filepath.Join(parent, "edgeplan-system-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(group, 0o755); err != nil && !os.IsExist(err) {
			s.t.Fatal(err)
		}
		groups = append(groups, group)
	}
	return groups
}

// removeGroups removes them with all that was made inside.
func (s *System) removeGroups() {
	for _, group := range s.groups {
		_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
	}
}

func (s *System) boot() {
	s.t.Helper()
	join := `for group in "$@"; do echo $$ >"$group/cgroup.procs" || exit; done; `
	enter := fmt.Sprintf("exec nsenter --mount=%s unshare --cgroup --mount --pid --fork --net --uts --ipc --kill-child=KILL sh %s %s %s",
		s.holder.file("mnt"), s.script, s.kept, s.shared)
	s.run = exec.Command("sh", append([]string{"-c", join + enter, "boot"}, s.groups...)...)
	log, err := os.Create(filepath.Join(s.t.TempDir(), "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.run.Stdout, s.run.Stderr = log, log
	if err := s.run.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(answerTime); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if s.first, err = childOf(s.run.Process.Pid); err != nil {
			continue
		}
		if out, _ := s.Command("systemctl", "is-system-running").Output(); strings.HasPrefix(string(out), "running") || strings.HasPrefix(string(out), "degraded") {
			return
		}
	}
	said, _ := os.ReadFile(log.Name())
	s.t.Fatalf("systemd does not come up:\n%s", said)
}

// Command is one that runs in the System.
func (s *System) Command(program string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--target=" + strconv.Itoa(s.first),
		"--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--root", "--wd", "--", program}, args...)...)
}

// Restart takes the power away and boots again: files stay.
func (s *System) Restart() {
	s.t.Helper()
	s.powerOff()
	s.boot()
}

func (s *System) powerOff() {
	if s.run == nil {
		return
	}
	_ = s.run.Process.Kill()
	_ = s.run.Wait()
	for deadline := time.Now().Add(answerTime); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", s.first)); err != nil {
			break
		}
	}
	s.run = nil
}
