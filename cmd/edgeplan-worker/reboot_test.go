package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// fakeCrontab is a crontab(1) over a file: `-l` prints it, `-` replaces it.
const fakeCrontab = `#!/bin/sh
case $1 in
-l) cat "$CRONTAB_FILE" 2>/dev/null || { echo "no crontab for $(id -un)" >&2; exit 1; } ;;
-) cat >"$CRONTAB_FILE" ;;
esac
`

// withCrontab makes the tests' crontab the one that programs find.
func withCrontab(t *testing.T, script string) (file string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "crontab"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(bin, "table")
	t.Setenv("CRONTAB_FILE", file)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv(worker.SupervisionVariable, string(worker.Cron))
	return file
}

// deploy makes a release current and gives it the worker program.
func deploy(t *testing.T, dir string) {
	t.Helper()
	program := "#!/bin/sh\n" + asWorker + "=1 exec '" + executable(t) + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, worker.ProgramFile), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "..", "..", "current")
	os.Remove(link)
	if err := os.Symlink("releases/"+filepath.Base(dir), link); err != nil {
		t.Fatal(err)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// runReboot does what cron does with the lines of a crontab after a reboot: each
// is run by sh in the home folder, with next to no environment.
func runReboot(t *testing.T, table string) {
	t.Helper()
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "@reboot ")
		if !ok {
			continue
		}
		job := exec.Command("/bin/sh", "-c", strings.ReplaceAll(strings.TrimSuffix(command, "\n"), `\%`, "%"))
		job.Dir, job.Env = t.TempDir(), []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "SHELL=/bin/sh"}
		job.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		began := time.Now()
		if out, err := job.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("the job says %q, %v: cron would send mail", out, err)
		}
		if time.Since(began) > 30*time.Second {
			t.Error("the job keeps cron waiting")
		}
	}
}

// crash ends a supervisor and its worker as a power cut does.
func crash(t *testing.T, dir string) {
	t.Helper()
	mustRun(t, "kill", "-KILL", lockHolder(t, dir, worker.SupervisorFile), lockHolder(t, dir, worker.LockFile))
	becomes(t, "be dead", dir, 20*time.Second, func(s worker.Status) bool { return !s.Running })
}

// The line in the crontab is the very one that runs after a reboot: it starts what
// `current` names then, supervised. Lines of others stay as they are.
func TestCronBringsWorkersBack(t *testing.T) {
	table := withCrontab(t, fakeCrontab)
	others := "# mine\n\n0 5 * * 1  tar -zcf /var/backups/home.tgz /home/ \\% x\n@reboot true\n"
	if err := os.WriteFile(table, []byte(others), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := gatewayOnly(t)
	deploy(t, dir)
	for range 2 {
		out, errOut, err := program(t, "start", dir)
		if err != nil || !strings.Contains(out, `"supervision":"cron"`) || strings.Contains(out, "warnings") {
			t.Fatalf("%s, %v\n%s", out, err, errOut)
		}
	}
	text, _ := os.ReadFile(table)
	if rest, ok := strings.CutPrefix(string(text), others); !ok || strings.Count(rest, "\n") != 2 || !strings.HasSuffix(rest, "# edgeplan\n") {
		t.Fatalf("the crontab is\n%s", text)
	}
	crash(t, dir)
	runReboot(t, table)
	first := becomes(t, "come back after a reboot", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready })
	kill(t, first.PID, syscall.SIGKILL)
	becomes(t, "come back", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready && s.PID != first.PID })

	if _, errOut, err := program(t, "stop", dir); err != nil {
		t.Fatal(err, errOut)
	}
	if text, _ := os.ReadFile(table); !strings.Contains(string(text), "# edgeplan") {
		t.Error("a worker that was stopped for a moment would not come back after a reboot")
	}
	if _, errOut, err := program(t, "stop", "-forget", dir); err != nil {
		t.Fatal(err, errOut)
	}
	if text, _ := os.ReadFile(table); string(text) != others {
		t.Errorf("the crontab is not as it was:\n%s", text)
	}
}

// A reboot in the middle of an apply comes back into the release that is current.
func TestRebootInTheMiddleOfAnApply(t *testing.T) {
	table := withCrontab(t, fakeCrontab)
	old := gatewayOnly(t)
	deploy(t, old)
	if _, errOut, err := program(t, "start", old); err != nil {
		t.Fatal(err, errOut)
	}
	next := beside(t, old)
	crash(t, old)
	crash(t, next)
	runReboot(t, table)
	becomes(t, "come back", old, 30*time.Second, func(s worker.Status) bool { return s.Ready })
	if s := mustStatus(t, next); s.Running {
		t.Errorf("the release that was never switched to runs: %+v", s)
	}
	// Once it is promised, only the gateway knows which of the two serves.
	promise(t, next, worker.PromisedLink)
	crash(t, old)
	runReboot(t, table)
	becomes(t, "come back", old, 30*time.Second, func(s worker.Status) bool { return s.Ready })
	becomes(t, "come back as promised", next, 30*time.Second, func(s worker.Status) bool { return s.Ready })
	// What goes is not current: the lines stay for the release that is.
	if _, errOut, err := program(t, "stop", "-forget", next); err != nil {
		t.Fatal(err, errOut)
	}
	if text, _ := os.ReadFile(table); strings.Count(string(text), "# edgeplan") != 2 {
		t.Errorf("the crontab is\n%s", text)
	}
}

// A folder with all that a shell or cron would read as something else.
func TestCronLineOfAHostileFolder(t *testing.T) {
	table := withCrontab(t, fakeCrontab)
	from := gatewayOnly(t)
	parent, err := os.MkdirTemp("", "ep") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	root := filepath.Join(parent, `a 'b' "c" $HOME %d \ & ; #`)
	dir := filepath.Join(root, "toy-1", "releases", "r1")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { worker.Stop(context.Background(), dir) })
	deploy(t, dir)
	if _, errOut, err := program(t, "start", dir); err != nil {
		t.Fatal(err, errOut)
	}
	crash(t, dir)
	runReboot(t, table)
	becomes(t, "come back", dir, 30*time.Second, func(s worker.Status) bool { return s.Ready })
}

// Where the crontab cannot be used the worker runs, and a warning says what that means.
func TestStartWarnsWithoutReboot(t *testing.T) {
	withCrontab(t, "#!/bin/sh\necho \"You ($(id -un)) are not allowed to use this program (crontab)\" >&2\nexit 1\n")
	dir := gatewayOnly(t)
	deploy(t, dir)
	out, errOut, err := program(t, "start", dir)
	if err != nil || !strings.Contains(out, "does not come back by itself after a reboot") || !strings.Contains(out, "are not allowed") {
		t.Errorf("%s, %v\n%s", out, err, errOut)
	}
}
