package deployer

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
)

// An interruption is told once, with what became of the release.
func TestInterruptionIsOneLine(t *testing.T) {
	tests := map[string]string{ // by the kind of event at which it happens
		"connect": "interrupted: nothing was changed",
		"upload":  "interrupted: release NEW of model net was not deployed; release OLD goes on serving",
		"start":   "interrupted: release NEW of model net was not deployed; release OLD goes on serving",
		"probe":   "interrupted: release NEW of model net was not deployed; release OLD goes on serving",
		"clean":   "interrupted: what is no longer needed on the devices was not removed; the next apply does that",
	}
	for kind, want := range tests {
		t.Run(kind, func(t *testing.T) {
			c := newCluster(t, "a", "b")
			c.mustApply(models{"net": c.model("net", "0", 7435, "a", "b")})
			old, next := c.model("net", "1", 7433, "a", "b"), c.model("net", "2", 7434, "a", "b")
			c.mustApply(models{"net": old})
			ctx, cancel := context.WithCancel(context.Background())
			c.options.Progress = func(e Event) {
				if e.Kind == kind {
					cancel()
				}
			}
			err := Apply(ctx, c.plan(models{"net": next}), c.recorder, c.options)
			serving := old
			if kind == "clean" {
				serving = next
			}
			want = strings.NewReplacer("NEW", next.Release, "OLD", old.Release).Replace(want)
			if err == nil || err.Error() != want || !errors.Is(err, context.Canceled) {
				t.Errorf("error %v\nwant %s", err, want)
			}
			if err := c.serves("net", serving); err != nil {
				t.Error(err)
			}
		})
	}
}

// An error that is none of the interruption is told beside it.
func TestRemainingErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	broken := &DeviceError{"b", errors.New("disk full")}
	joined := errors.Join(&DeviceError{"a", context.Canceled}, broken)
	if got := remaining(ctx, joined); got != joined {
		t.Errorf("before: %v", got)
	}
	cancel()
	if got := remaining(ctx, joined); got == nil || got.Error() != broken.Error() {
		t.Errorf("got %v", got)
	}
	if got := remaining(ctx, &DeviceError{"a", context.Canceled}); got != nil {
		t.Errorf("got %v", got)
	}
}

// A state that cannot be written is found before anything is touched.
func TestStateThatCannotBeEncoded(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	m.Prediction.LatencySeconds = math.Inf(1)
	err := c.apply(c.plan(models{"net": m}))
	if err == nil || !strings.Contains(err.Error(), "cannot be carried out") {
		t.Errorf("error %v", err)
	}
	if left := c.tree("a"); len(left) > 0 {
		t.Errorf("%q was written", left)
	}
}

// Files are copied where links fail, also where some links were made before.
func TestFileSystemWithoutLinks(t *testing.T) {
	for _, works := range []int{0, 1} {
		c := newCluster(t, "a")
		c.options.Files = 1
		links := 0
		c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
			if op.Name == "hardlink@openssh.com" {
				if links++; links > works {
					return embedded.Fail
				}
			}
			return embedded.Proceed
		})
		m := c.model("net", "1", 7433, "a")
		c.mustApply(models{"net": m})
		if err := c.serves("net", m); err != nil || links <= works {
			t.Errorf("after %d links: %v", links, err)
		}
	}
}

// A port that another program has is told with what to do.
func TestPortInUse(t *testing.T) {
	c := newCluster(t, "a")
	if err := os.WriteFile(filepath.Join(c.homes["a"], "refuse-start"), []byte("listen tcp :7433: bind: address already in use"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
	if err == nil || !strings.Contains(err.Error(), "set `pipeline_port`") {
		t.Errorf("error %v", err)
	}
}

func TestMountOf(t *testing.T) {
	const mounts = `/dev/root / ext4 rw,relatime 0 0
/dev/sda1 /home ext4 rw,noexec 0 0
/dev/sdb1 /mnt/my\040disk ext4 ro 0 0
/dev/sdc1 /home/pi ext4 rw 0 0
overlay /home/pi overlay ro,lowerdir=/x 0 0
damaged
`
	tests := []struct{ file, point, option string }{
		{"/", "/", "rw"},
		{"/srv/x", "/", "rw"},
		{"/home", "/home", "noexec"},
		{"/home/pia", "/home", "noexec"},
		{"/home/pi/.edgeplan", "/home/pi", "ro"},
		{"/mnt/my disk/a", "/mnt/my disk", "ro"},
	}
	for _, test := range tests {
		got := mountOf(test.file, mounts)
		if got.point != test.point || !strings.Contains(strings.Join(got.options, ","), test.option) {
			t.Errorf("%s: %+v, want %s with %s", test.file, got, test.point, test.option)
		}
	}
	for options, want := range map[string]string{"ro": "read-only", "rw,noexec": "noexec", "rw": ""} {
		err := checkMount("/srv/x", "/dev/root / ext4 "+options+" 0 0\n")
		if got := err != nil && strings.Contains(err.Error(), want); got != (want != "") {
			t.Errorf("%s: error %v", options, err)
		}
	}
}

// silentAgent takes connections at SSH_AUTH_SOCK, which it counts, and says nothing.
func silentAgent(t *testing.T) *atomic.Int32 {
	t.Helper()
	var asked atomic.Int32
	socket := filepath.Join(t.TempDir(), "agent")
	accept(t, "unix", socket, func(conn net.Conn) {
		asked.Add(1)
		t.Cleanup(func() { conn.Close() })
	})
	t.Setenv("SSH_AUTH_SOCK", socket)
	return &asked
}

// An agent that does not answer is asked only where it is needed, and given up.
func TestSilentAgent(t *testing.T) {
	c := newCluster(t, "a")
	asked := silentAgent(t)
	if err := c.hello("a"); err != nil || asked.Load() > 0 {
		t.Errorf("with a key of its own: error %v, the agent was asked %d times", err, asked.Load())
	}
	c.options.DialTimeout = time.Second
	key := c.identity
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	if err := c.hello("a"); err == nil || !strings.Contains(err.Error(), "agent at "+os.Getenv("SSH_AUTH_SOCK")+" (no answer within 1s)") {
		t.Errorf("without a key: error %v", err)
	}
	content, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(os.Getenv("HOME"), ".ssh", "id_ed25519")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := c.hello("a"); err != nil {
		t.Errorf("with the default key: %v", err)
	}
}

// Who waits for an agent can be interrupted.
func TestSilentAgentIsInterrupted(t *testing.T) {
	c := newCluster(t, "a")
	silentAgent(t)
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	c.options.DialTimeout = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := connect(ctx, c.nodes["a"].SSH, c.options.withDefaults())
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 30*time.Second {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
}
