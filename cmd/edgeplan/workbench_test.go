package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/statefile"
)

// workbench is a configuration folder with two embedded devices that carry a model and
// a third that does not, for tests that run the program many times.
type workbench struct {
	dir     string
	program string
	env     []string // of every command, beside this process's
	homes   []string
}

const bedConfig = `
variable "threads" {
  type    = number
  default = 1
}
ssh {
  user          = "pi"
  identity_file = "id"
  known_hosts   = "known_hosts"
}
%s
network "lan" {
  nodes     = values(node.pi)
  bandwidth = "1Gbps"
}
model "m" {
  source  = "m.onnx"
  gateway = node.pi["hall"]
  threads = var.threads
}
`

// newWorkbench starts the devices, and collects what they need with `init`.
func newWorkbench(t *testing.T, program string) *workbench {
	t.Helper()
	enginetest.Library(t)
	b := &workbench{dir: t.TempDir(), program: program}
	key := newKey(t)
	b.write(t, "id", key.private)
	var knownHosts, hosts strings.Builder
	fmt.Fprint(&hosts, "node \"pi\" {\n  for_each = {\n")
	for _, name := range []string{"hall", "gate", "roof"} {
		home := filepath.Join(b.dir, "homes", name)
		b.homes = append(b.homes, home)
		d := startEmbedded(t, nextAddress(), home, key.public)
		host, port, err := net.SplitHostPort(d.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&knownHosts, "[%s]:%s %s\n", host, port, d.hostKey)
		fmt.Fprintf(&hosts, "    %s = { host = %q, port = %s }\n", name, host, port)
	}
	fmt.Fprintf(&hosts, "  }\n  address = each.value.host\n  port = each.value.port\n  architecture = %q\n  memory = \"256MiB\"\n  compute = \"1GFLOPS\"\n}\n",
		"linux/"+runtime.GOARCH)
	b.write(t, "known_hosts", []byte(knownHosts.String()))
	b.write(t, "main.edgeplan.hcl", fmt.Appendf(nil, bedConfig, hosts.String()))
	model, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteFile(filepath.Join(b.dir, "m.onnx")); err != nil {
		t.Fatal(err)
	}
	b.must(t, "init")
	return b
}

func (b *workbench) write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// command is edgeplan in the folder of the bed.
func (b *workbench) command(env []string, args ...string) *exec.Cmd {
	command := exec.Command(b.program, args...)
	command.Dir = b.dir
	command.Env = slices.Concat(os.Environ(), b.env, env)
	return command
}

func (b *workbench) run(env []string, args ...string) (string, error) {
	out, err := b.command(env, args...).CombinedOutput()
	return string(out), err
}

func (b *workbench) must(t testing.TB, args ...string) {
	t.Helper()
	if out, err := b.run(nil, args...); err != nil {
		t.Fatalf("edgeplan %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// stateBytes is the state file; nil where there is none.
func (b *workbench) stateBytes(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.dir, statefile.StateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (b *workbench) checkDevicesEmpty(t *testing.T, where string) {
	t.Helper()
	for _, home := range b.homes {
		entries, err := os.ReadDir(home)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if len(entries) > 0 {
			t.Fatalf("%s: %s still holds %s", where, home, entries[0].Name())
		}
	}
}
