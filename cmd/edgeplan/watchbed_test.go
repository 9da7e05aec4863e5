package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/porttest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const watchConfig = `
ssh {
  identity_file = "id"
  known_hosts   = "known_hosts"
}
node "pi" {
  for_each = {
%s  }
  address      = each.value.host
  port         = each.value.port
  user         = each.value.user
  architecture = %q
  memory       = "256MiB"
  compute      = "1GFLOPS"
}
network "lan" {
  nodes     = values(node.pi)
  bandwidth = "1Gbps"
}
model "m" {
  source  = "m.onnx"
  gateway = node.pi["hall"]
  threads = 1
  client {
    http_port = %d
  }
}
`

// watchBed is a pipeline on real SSH servers with real workers, under load.
type watchBed struct {
	*workbench
	servers map[string]*sshdtest.Server
	load    *httpLoad
	watch   *exec.Cmd
	out     bytes.Buffer
}

func newWatchBed(t testing.TB) *watchBed {
	t.Helper()
	enginetest.Library(t)
	b := &watchBed{workbench: &workbench{dir: t.TempDir(), program: filepath.Join(program, "edgeplan")}, servers: map[string]*sshdtest.Server{}}
	key := newKey(t)
	b.write(t, "id", key.private)
	var knownHosts, nodes strings.Builder
	for _, name := range []string{"gate", "hall", "roof"} {
		home := filepath.Join(b.dir, "homes", name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		s := sshdtest.Start(t, sshdtest.Options{IP: nextAddress(), Home: home, AuthorizedKey: key.public})
		b.servers[name] = s
		fmt.Fprintf(&knownHosts, "[%s]:%d %s\n", s.Host, s.Port, s.HostKeyLine)
		fmt.Fprintf(&nodes, "    %s = { host = %q, port = %d, user = %q }\n", name, s.Host, s.Port, s.User)
	}
	b.write(t, "known_hosts", []byte(knownHosts.String()))
	port := porttest.Free(t, "127.0.0.1")
	b.write(t, "main.edgeplan.hcl", fmt.Appendf(nil, watchConfig, nodes.String(), "linux/"+runtime.GOARCH, port))
	model, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteFile(filepath.Join(b.dir, "m.onnx")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopWorkers(filepath.Join(b.dir, "homes")) })
	b.must(t, "init")
	b.must(t, "apply", "-auto-approve")
	pause := 20 * time.Millisecond
	if *watchBench {
		pause = 200 * time.Millisecond // for minutes on end
	}
	b.load = startLoad(t, pause, fmt.Sprintf("http://127.0.0.1:%d/v2/models/m/infer", port))
	return b
}

// watchArgs are those of every watch.
func watchArgs(args []string) []string {
	return append([]string{"watch", "-auto-approve", "-log", "events"}, args...)
}

// start starts watch.
func (b *watchBed) start(t testing.TB, args ...string) {
	t.Helper()
	b.runWatch(t, b.command(nil, watchArgs(args)...))
}

// startIn starts watch in the operator's namespace of a bed.
func (b *watchBed) startIn(t testing.TB, bed *netBed, args ...string) {
	t.Helper()
	command := exec.Command("ip", append([]string{"netns", "exec", bed.space(bed.n + 1), filepath.Join(program, "edgeplan")}, watchArgs(args)...)...)
	command.Dir = b.dir
	b.runWatch(t, command)
}

func (b *watchBed) runWatch(t testing.TB, watch *exec.Cmd) {
	t.Helper()
	b.watch = watch
	b.watch.Stdout, b.watch.Stderr = &b.out, &b.out
	if err := b.watch.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.watch.Process.Kill()
		_ = b.watch.Wait()
		if t.Failed() {
			t.Logf("watch said:\n%s", b.out.String())
		}
	})
}

// end ends watch as systemd does.
func (b *watchBed) end(t testing.TB) {
	t.Helper()
	if err := b.watch.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := b.watch.Wait(); err != nil {
		t.Errorf("watch ended with %v", err)
	}
}

// powerOff ends all that runs on a device, at once.
func (b *watchBed) powerOff(name string) {
	b.servers[name].Kill()
	b.signal(name, syscall.SIGKILL)
}

// freeze cuts a device off and keeps all that runs there.
func (b *watchBed) freeze(name string, frozen bool) {
	signal := syscall.SIGCONT
	if frozen {
		signal = syscall.SIGSTOP
	}
	b.servers[name].Freeze(frozen)
	b.signal(name, signal)
}

// signal goes to all processes that work in a device's home folder.
func (b *watchBed) signal(name string, signal syscall.Signal) {
	home := filepath.Join(b.dir, "homes", name)
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		at, err := os.Readlink(link)
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && (at == home || strings.HasPrefix(at, home+"/")) {
			_ = syscall.Kill(pid, signal)
		}
	}
}

// movedBytes is what a device lacks of one state that another did not put there.
func movedBytes(t testing.TB, from, to []byte) (moved int64) {
	t.Helper()
	before, err1 := statefile.Parse("before", from)
	after, err2 := statefile.Parse("after", to)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	old, next := before.Models["m"], after.Models["m"]
	for _, node := range plan.ReleaseNodes(&next) {
		had := map[string]bool{}
		for _, blob := range plan.NodeBlobs(&old, node) {
			had[blob.Digest] = true
		}
		for _, blob := range plan.NodeBlobs(&next, node) {
			if !had[blob.Digest] {
				had[blob.Digest], moved = true, moved+blob.Size
			}
		}
	}
	return moved
}
