package deployer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/testbed"
	"github.com/edgeplan/edgeplan/worker"
)

// supervisionOf runs the script by a command, and reads what it says.
func supervisionOf(t *testing.T, command *exec.Cmd) (worker.Supervision, string) {
	t.Helper()
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	m := parseMeasured(string(out), time.Now(), time.Now())
	return m.supervision, m.note
}

// Without a systemd that runs, crontab is what there is, or nothing; and the environment
// has the last word.
func TestSupervisionWithoutSystemd(t *testing.T) {
	with := t.TempDir()
	if err := os.WriteFile(filepath.Join(with, "crontab"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, chosen string
		way          worker.Supervision
		note         string
	}{
		{t.TempDir(), "", worker.Unregistered, ""},
		{with, "auto", worker.Cron, ""},
		{with, "none", worker.Unregistered, "chosen"},
		{with, "systemd", worker.SystemUnit, "chosen"},
		{with, "$(reboot)", "", "chosen"},
	} {
		command := exec.Command("/bin/sh", "-c", supervisionScript)
		command.Env = []string{"PATH=" + c.path, worker.SupervisionVariable + "=" + c.chosen}
		if way, note := supervisionOf(t, command); way != c.way || note != c.note {
			t.Errorf("%q: %q %q, want %q %q", c.chosen, way, note, c.way, c.note)
		}
	}
}

// A systemd that runs serves root, and another user once that user's manager runs from
// boot on.
func TestSupervisionUnderSystemd(t *testing.T) {
	if err := testbed.NoSystem(); err != nil {
		t.Skip(err)
	}
	s := testbed.StartSystem(t, t.TempDir())
	command := func(args ...string) *exec.Cmd {
		command := s.Command(args[0], args[1:]...)
		command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
		return command
	}
	root := []string{"sh", "-c", supervisionScript}
	user := append([]string{"setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups"}, root...)
	otherwise := worker.Unregistered
	if _, err := exec.LookPath("crontab"); err == nil {
		otherwise = worker.Cron
	}
	check := func(what string, args []string, way worker.Supervision, note string) {
		t.Helper()
		if gotWay, gotNote := supervisionOf(t, command(args...)); gotWay != way || gotNote != note {
			t.Errorf("%s: %q %q, want %q %q", what, gotWay, gotNote, way, note)
		}
	}
	do := func(script string) {
		t.Helper()
		if out, err := command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	check("root", root, worker.SystemUnit, "")
	check("a user without a manager", user, otherwise, "")
	do(`systemd-run --quiet --service-type=notify --uid=daemon -p Delegate=yes -p RuntimeDirectory=user/$(id -u daemon) \
		--setenv=HOME=/tmp --setenv=XDG_RUNTIME_DIR=/run/user/$(id -u daemon) /lib/systemd/systemd --user`)
	check("a manager that ends with the session", user, otherwise, "lingers-not")
	do("mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/daemon")
	check("a manager that lingers", user, worker.UserUnit, "")
}

// Only where nothing starts a worker after a reboot, and nobody wanted that, is it said.
func TestCheckReboot(t *testing.T) {
	for words, want := range map[string]string{
		"systemd": "", "systemd-user": "", "cron": "", "cron lingers-not": "", "none chosen": "", "": "", "nonsense": "",
		"none":             "neither a systemd that this user may use nor crontab",
		"none lingers-not": "sudo loginctl enable-linger pi",
	} {
		var m measured
		m.supervision, m.note = parseSupervision(strings.Fields(words))
		err := m.checkReboot("pi")
		if want == "" && err != nil {
			t.Errorf("%q: %v", words, err)
		}
		if want != "" {
			mentions(t, err, want, "after a reboot", "cron")
			if f := faultOf("a", err); f.Check != "reboot" || f.Remedy == "" {
				t.Errorf("%q: %+v", words, f)
			}
		}
	}
}
