package deployer

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
)

func embeddedWith(sftpServer string) embedded.Options {
	return embedded.Options{SFTPServer: sftpServer}
}

// sudoOf puts a sudo in front of all others on the embedded devices.
func (c *cluster) sudoOf(script string) {
	c.t.Helper()
	bin := c.t.TempDir()
	c.write(filepath.Join(bin, "sudo"), "#!/bin/sh\n"+script)
	shell(c.t, "chmod +x "+bin+"/sudo")
	c.t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// With become everything goes through sudo, which is given no chance to ask.
func TestBecome(t *testing.T) {
	if _, err := os.Stat("/usr/lib/openssh/sftp-server"); err != nil {
		t.Skip("sftp-server is missing: install openssh-sftp-server")
	}
	c := newCluster(t, "a")
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("SUDO_LOG", log)
	c.sudoOf(`[ "$1" = -n ] && [ "$2" = -- ] || { echo "sudo: a password is required" >&2; exit 1; }
shift 2
echo "$1" >>` + log + `
exec "$@"
`)
	c.with("a", func(s *statefile.SSH) { s.Become = "sudo" })
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	mentions(t, errors.New(string(content)), "/usr/lib/openssh/sftp-server\n", "edgeplan-worker\n", "sh\n")
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	for _, hostile := range hostileTexts() {
		out, err := d.run(context.Background(), "printf", "%s", hostile)
		if err != nil || out != hostile {
			t.Errorf("%q arrived as %q, error %v", hostile, out, err)
		}
	}
	var failed *CommandError
	if _, err := d.run(context.Background(), "sh", "-c", "echo sudden >&2; exit 3"); !errors.As(err, &failed) || failed.Status != 3 {
		t.Errorf("an error of the command itself: %v", err)
	}
}

func TestBecomeFaults(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"password": {"echo 'sudo: a password is required' >&2; exit 1\n", "a password is required"},
		"sudoers":  {"echo 'pi is not in the sudoers file.' >&2; exit 1\n", "not in the sudoers file"},
		"command":  {"echo 'Sorry, user pi is not allowed to execute this as root.' >&2; exit 1\n", "not allowed to execute"},
		"terminal": {"echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1\n", "must have a tty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "a")
			c.sudoOf(test.script)
			c.with("a", func(s *statefile.SSH) { s.Become = "sudo" })
			var refused *BecomeError
			err := c.hello("a")
			if mentions(t, err, test.want, "pi ALL=(root) NOPASSWD: ALL", "visudo"); !errors.As(err, &refused) {
				t.Errorf("commands: error %v", err)
			}
			err = c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
			if mentions(t, err, test.want); !errors.As(err, &refused) {
				t.Errorf("files: error %v", err)
			}
			if left := c.tree("a"); len(left) > 0 {
				t.Errorf("%q was written", left)
			}
		})
	}
	c := newCluster(t, "a")
	t.Setenv("PATH", t.TempDir())
	c.with("a", func(s *statefile.SSH) { s.Become = "sudo" })
	mentions(t, c.hello("a"), "sudo is not installed there")
}

// The real sudo, of a real sshd.
func TestBecomeWithSudo(t *testing.T) {
	if exec.Command("sudo", "-n", "true").Run() != nil {
		t.Skip("sudo without a password is not possible here")
	}
	c := emptyCluster(t)
	root := filepath.Join(t.TempDir(), "opt", "edge plan")
	c.addSSHD("a", sshdtest.Options{}, root)
	c.with("a", func(s *statefile.SSH) { s.Become = "sudo" })
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
	c.mustApply(models{})
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", root, err)
	}
}
