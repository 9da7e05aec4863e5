package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/testbed"
	"github.com/edgeplan/edgeplan/worker"
)

// underSystemd boots a systemd that has a release, of which it gives the folder as
// the system sees it.
func underSystemd(t *testing.T) (*testbed.System, string) {
	t.Helper()
	if err := testbed.NoSystem(); err != nil {
		t.Skip(err)
	}
	shared := t.TempDir()
	from := gatewayOnly(t)
	dir := filepath.Join(shared, "toy-1", "releases", "r1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, worker.ProgramFile), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command("chown", "-R", "daemon:daemon", shared).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Symlink("releases/r1", filepath.Join(shared, "toy-1", "current")); err != nil {
		t.Fatal(err)
	}
	return testbed.StartSystem(t, shared), filepath.Join(testbed.SharedFolder, "toy-1", "releases", "r1")
}

// supervised is a System with a release in it, and what is asked of them.
type supervised struct {
	t   *testing.T
	s   *testbed.System
	dir string
	as  []string // what runs a program as somebody else than root
}

// command runs something as root.
func (u *supervised) command(args ...string) (string, error) {
	u.t.Helper()
	command := u.s.Command(args[0], args[1:]...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return string(out), err
}

// worker runs the program of a release.
func (u *supervised) worker(dir, verb string, args ...string) (worker.Status, error) {
	u.t.Helper()
	words := append(append([]string{}, u.as...), filepath.Join(dir, worker.ProgramFile), verb)
	out, err := u.command(append(append(words, args...), dir)...)
	var status worker.Status
	_ = json.Unmarshal([]byte(out), &status)
	return status, err
}

const systemKey = testbed.SharedFolder + "/" + worker.KeyFile

func (u *supervised) start(dir string) (worker.Status, error) {
	return u.worker(dir, "start", "-key", systemKey)
}

// becomes waits for a worker's status.
func (u *supervised) becomes(what, dir string, is func(worker.Status) bool) worker.Status {
	u.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, err := u.worker(dir, "status")
		if err == nil && is(status) {
			return status
		}
		if time.Now().After(deadline) {
			out, _ := u.command("sh", "-c", "systemctl --no-pager status 'edgeplan-*'; tail "+dir+"/worker.log")
			u.t.Fatalf("the worker did not %s: %+v, %v\n%s", what, status, err, out)
		}
	}
}

// properties of the unit of a release.
func (u *supervised) properties(release string) map[string]string {
	u.t.Helper()
	out, err := u.command("sh", "-c", "systemctl show $(basename /etc/systemd/system/edgeplan-toy-1-"+release+"-*)")
	if err != nil {
		u.t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[name] = value
	}
	return found
}

// What the units say is what a systemd does: the worker runs hardened and as the
// folder's owner, comes back when it dies and after a reboot, and only where it is
// current or promised then.
func TestUnderSystemd(t *testing.T) {
	s, dir := underSystemd(t)
	u := &supervised{t: t, s: s, dir: dir}
	if _, err := u.command(filepath.Join(dir, worker.ProgramFile), "key", systemKey); err != nil {
		t.Fatal(err)
	}
	started, err := u.start(dir)
	if err != nil || !started.Ready || started.Supervision != worker.SystemUnit || len(started.Warnings) > 0 {
		t.Fatalf("%+v, %v", started, err)
	}
	u.checkHardening(started.PID)

	began := time.Now()
	if _, err := u.command("kill", "-KILL", fmt.Sprint(started.PID)); err != nil {
		t.Fatal(err)
	}
	again := u.becomes("come back", dir, func(s worker.Status) bool { return s.Ready && s.PID != started.PID })
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("it was started again after %s, without a pause", took)
	}
	if n := u.properties("r1")["NRestarts"]; n != "1" || again.Supervision != worker.SystemUnit {
		t.Errorf("%s restarts, %+v", n, again)
	}

	next := u.otherRelease()
	if _, err := u.start(next); err != nil {
		t.Fatal(err)
	}
	u.restart()
	u.becomes("come back after a reboot", dir, func(s worker.Status) bool { return s.Ready })
	if p := u.properties("r2"); p["ActiveState"] != "inactive" || p["ExecMainStatus"] != "3" {
		t.Errorf("the release that is not current: %s, exit code %s", p["ActiveState"], p["ExecMainStatus"])
	}
	if _, err := u.command("ln", "-s", "releases/r2", filepath.Join(testbed.SharedFolder, "toy-1", worker.PromisedLink)); err != nil {
		t.Fatal(err)
	}
	u.restart()
	u.becomes("come back after a reboot", dir, func(s worker.Status) bool { return s.Ready })
	u.becomes("wait as it was promised", next, func(s worker.Status) bool { return s.Running && !s.Ready })
	deployment := filepath.Join(testbed.SharedFolder, "toy-1")
	if _, err := u.command("mv", "-T", filepath.Join(deployment, worker.PromisedLink), filepath.Join(deployment, worker.CurrentLink)); err != nil {
		t.Fatal(err)
	}
	u.becomes("serve when it became current", next, func(s worker.Status) bool { return s.Ready })

	for _, release := range []string{dir, next} {
		if _, err := u.worker(release, "stop", "-forget"); err != nil {
			t.Error(err)
		}
	}
	if out, err := u.command("sh", "-c", "ls /etc/systemd/system /etc/systemd/system/*.wants | grep edgeplan || :"); err != nil || out != "" {
		t.Errorf("left behind: %q, %v", out, err)
	}
}

// restart takes the power away and boots again. The kernel goes on, so that the mark of
// a start has to be made one of another run of the system.
func (u *supervised) restart() {
	u.t.Helper()
	if _, err := u.command("sh", "-c", "sed -i 's/\"boot_id\":\"[^\"]*\"/\"boot_id\":\"another\"/' "+filepath.Dir(u.dir)+"/*/"+worker.MarkFile); err != nil {
		u.t.Fatal(err)
	}
	u.s.Restart()
}

// checkHardening looks at what the kernel lets a worker do.
func (u *supervised) checkHardening(pid int) {
	u.t.Helper()
	out, err := u.command("cat", fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		u.t.Fatal(err)
	}
	owner, err := u.command("id", "-u", "daemon")
	if err != nil {
		u.t.Fatal(err)
	}
	id := strings.TrimSpace(owner)
	for _, line := range []string{"NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "Seccomp:\t2",
		"Uid:\t" + strings.Join([]string{id, id, id, id}, "\t")} {
		if !strings.Contains(out, line+"\n") {
			u.t.Errorf("no %q in\n%s", line, out)
		}
	}
}

// otherRelease is a second one of the deployment.
func (u *supervised) otherRelease() string {
	u.t.Helper()
	next := filepath.Join(filepath.Dir(u.dir), "r2")
	_, err := u.command("sh", "-c", `mkdir "$2" && cd "$1" && cp -p edgeplan-worker peers.json "$2" && sed 's/"r1"/"r2"/; s/127.0.0.1:[0-9]*/127.0.0.1:7999/' manifest.json >"$2/manifest.json"`,
		"sh", u.dir, next)
	if err != nil {
		u.t.Fatal(err)
	}
	return next
}

// A worker that takes more memory than its unit has is killed by the kernel, and the
// start that waits for it says so.
func TestMemoryLimitUnderSystemd(t *testing.T) {
	s, dir := underSystemd(t)
	u := &supervised{t: t, s: s, dir: dir}
	if _, err := u.command(filepath.Join(dir, worker.ProgramFile), "key", systemKey); err != nil {
		t.Fatal(err)
	}
	if _, err := u.command("sed", "-i", `s/"listen"/"memory_bytes":2097152,"listen"/`, filepath.Join(dir, worker.ManifestFile)); err != nil {
		t.Fatal(err)
	}
	_, err := u.start(dir)
	if err == nil || !strings.Contains(err.Error(), "because memory ran out") {
		t.Errorf("%v", err)
	}
	if p := u.properties("r1"); p["MemoryMax"] != "2097152" {
		t.Errorf("MemoryMax is %s", p["MemoryMax"])
	}
}

// userManager starts the manager of the user daemon, now and with every boot, as logind
// does for a user who lingers.
const userManager = `
mkdir -p /var/lib/systemd/linger /srv/edgeplan/home && touch /var/lib/systemd/linger/daemon && chown daemon:daemon /srv/edgeplan/home
cat >/etc/systemd/system/user-daemon.service <<end
[Service]
Type=notify
User=daemon
Delegate=yes
RuntimeDirectory=user/$(id -u daemon)
RuntimeDirectoryMode=0700
Environment=HOME=/srv/edgeplan/home XDG_RUNTIME_DIR=/run/user/$(id -u daemon)
ExecStart=/lib/systemd/systemd --user
[Install]
WantedBy=multi-user.target
end
systemctl daemon-reload && systemctl enable --now user-daemon.service
`

// A user without any rights has workers kept by a manager of their own.
func TestUserUnderSystemd(t *testing.T) {
	s, dir := underSystemd(t)
	u := &supervised{t: t, s: s, dir: dir, as: []string{"setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "env", "HOME=/srv/edgeplan/home"}}
	if _, err := u.command("sh", "-c", userManager); err != nil {
		t.Fatal(err)
	}
	started, err := u.worker(dir, "start")
	if err != nil || !started.Ready || started.Supervision != worker.UserUnit || len(started.Warnings) > 0 {
		t.Fatalf("%+v, %v", started, err)
	}
	if _, err := u.command("kill", "-KILL", fmt.Sprint(started.PID)); err != nil {
		t.Fatal(err)
	}
	u.becomes("come back", dir, func(s worker.Status) bool { return s.Ready && s.PID != started.PID && s.Supervision == worker.UserUnit })
	u.restart()
	u.becomes("come back after a reboot", dir, func(s worker.Status) bool { return s.Ready })
	if _, err := u.worker(dir, "stop", "-forget"); err != nil {
		t.Error(err)
	}
	if out, err := u.command("sh", "-c", "find /srv/edgeplan/home/.config -name 'edgeplan*'"); err != nil || out != "" {
		t.Errorf("left behind: %q, %v", out, err)
	}
}
