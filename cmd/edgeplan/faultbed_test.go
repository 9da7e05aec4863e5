package main_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/testbed"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

var bedDevices = []string{"gate", "hall", "roof"}

// matrixBed is a bed with a configuration folder. One apply after the other goes
// to it, each with another model, and something happens to each.
type matrixBed struct {
	*testbed.Bed
	t      *testing.T
	dir    string
	how    string
	model  uint64 // seed of the model
	answer string // of the deployed pipeline
	events []time.Duration
	took   time.Duration // of an apply that nothing happened to
}

const matrixConfig = `
ssh {
  identity_file = "id"
  known_hosts   = "known_hosts"
}
node "pi" {
  for_each     = { %s }
  address      = each.value.address
  port         = each.value.port
  user         = each.value.user
  architecture = %q
  memory       = %q
  compute      = "1GFLOPS"
}
network "lan" {
  nodes     = values(node.pi)
  bandwidth = "1Gbps"
}
model "m" {
  source       = "m.onnx"
  gateway      = node.pi["hall"]
  optimization = "disabled"
  threads      = 1
}
`

// newMatrixBed starts devices and deploys to them. On every other bed memory holds
// only one release.
func newMatrixBed(t *testing.T, start func(testing.TB, testbed.Options) *testbed.Bed, seed uint64, i int) *matrixBed {
	t.Helper()
	enginetest.Library(t)
	key := newKey(t)
	b := &matrixBed{t: t, dir: t.TempDir(), model: seed + uint64(i)<<32, how: "beside",
		Bed: start(t, testbed.Options{Devices: bedDevices, AuthorizedKey: key.public, DiskBytes: 256 << 20})}
	memory := "256MiB"
	if i%2 == 1 {
		memory, b.how = "100MiB", "stop first"
	}
	var hosts []string
	var known strings.Builder
	for _, name := range bedDevices {
		d := b.Device(name)
		hosts = append(hosts, fmt.Sprintf("%s = { address = %q, port = %d, user = %q }", name, d.Address, d.Port, d.User))
		fmt.Fprintf(&known, "%s\n", knownhosts.Line([]string{net.JoinHostPort(d.Address, strconv.Itoa(d.Port))}, hostKey(t, d.HostKeyLine)))
	}
	b.write("id", key.private)
	b.write("known_hosts", []byte(known.String()))
	b.write("main.edgeplan.hcl", fmt.Appendf(nil, matrixConfig, strings.Join(hosts, ", "), "linux/"+runtime.GOARCH, memory))
	if *faultMoments == 0 {
		b.write(".ssh/config", []byte("Host *\n ConnectTimeout 4\n ServerAliveInterval 2\n"))
	}
	b.nextModel()
	b.init()
	b.learn()
	if *faultMoments > 0 { // an apply that replaces something
		b.nextModel()
		b.learn()
	}
	b.answer = b.ask()
	return b
}

// init collects what devices need, on the network of this machine.
func (b *matrixBed) init() {
	b.t.Helper()
	command := exec.Command(filepath.Join(program, "edgeplan"), "init")
	command.Dir = b.dir
	if out, err := command.CombinedOutput(); err != nil {
		b.t.Fatalf("edgeplan init: %v\n%s", err, out)
	}
}

func hostKey(t *testing.T, line string) ssh.PublicKey {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (b *matrixBed) write(name string, content []byte) {
	b.t.Helper()
	file := filepath.Join(b.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, content, 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

// nextModel is one that no device has anything of.
func (b *matrixBed) nextModel() {
	b.t.Helper()
	b.model++
	model, err := modelbuilder.Perceptron(b.model, 6, 512)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := model.WriteFile(filepath.Join(b.dir, "m.onnx")); err != nil {
		b.t.Fatal(err)
	}
}

func (b *matrixBed) command(args ...string) *exec.Cmd {
	command := b.Command(filepath.Join(program, "edgeplan"), args...)
	command.Dir = b.dir
	command.Env = append(os.Environ(), "HOME="+b.dir, "SSH_AUTH_SOCK=", "NO_COLOR=1")
	return command
}

func (b *matrixBed) edgeplan(args ...string) (string, error) {
	out, err := b.command(args...).CombinedOutput()
	return string(out), err
}

// ask is what the pipeline answers to one question.
func (b *matrixBed) ask() string {
	b.t.Helper()
	answer, err := b.infer()
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

// infer gives what is on standard output only: a warning is no part of an answer.
func (b *matrixBed) infer() (string, error) {
	command := b.command("infer", "-random", "1")
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("edgeplan infer: %w\n%s", err, said.String())
	}
	return string(out), err
}

// learn does an apply to which nothing happens, and notes when which step began.
func (b *matrixBed) learn() {
	b.t.Helper()
	b.events = nil
	out, err := b.apply(func(_ *os.Process, began time.Time, steps <-chan struct{}) {
		for range steps {
			b.events = append(b.events, time.Since(began))
		}
		b.took = time.Since(began)
	})
	if err != nil {
		b.t.Fatalf("an apply without a fault: %v\n%s", err, out)
	}
}

// apply runs one, and tells of every step that it tells of.
func (b *matrixBed) apply(watch func(process *os.Process, began time.Time, steps <-chan struct{})) (string, error) {
	command := b.command("apply", "-auto-approve", "-json")
	events, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	command.Stderr = &said
	began := time.Now()
	if err := command.Start(); err != nil {
		return "", err
	}
	steps := make(chan struct{}, 10_000)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(command.Process, began, steps)
	}()
	for scanner := bufio.NewScanner(events); scanner.Scan(); {
		var event struct{ Type string }
		if json.Unmarshal(scanner.Bytes(), &event) == nil && event.Type == "step" {
			steps <- struct{}{}
		}
	}
	close(steps)
	err = command.Wait()
	<-watched
	return said.String(), err
}

// await returns when an apply has come to a share of its time: by the steps that it
// tells of, since no two take equally long. It says false when the apply ends before.
func (b *matrixBed) await(moment float64, began time.Time, steps <-chan struct{}) bool {
	at := time.Duration(moment * float64(b.took))
	since := began
	for _, event := range b.events {
		if event > at {
			break
		}
		if _, ok := <-steps; !ok {
			return false
		}
		since = time.Now().Add(-event)
	}
	select {
	case <-time.After(time.Until(since.Add(at))):
	case <-steps: // this apply is faster
	}
	return true
}

// try lets a fault strike at a moment, lifts it, and looks at everything.
func (b *matrixBed) try(c cell) result {
	b.t.Helper()
	r := result{cell: c, how: b.how}
	lose := func(format string, args ...any) { r.losses = append(r.losses, fmt.Sprintf(format, args...)) }
	b.nextModel()
	now := &run{bed: b, victim: b.Device(bedDevices[c.victim])}
	var struck time.Time
	said, err := b.apply(func(process *os.Process, began time.Time, steps <-chan struct{}) {
		now.process = process
		b.await(c.moment, began, steps)
		if err := c.fault.strike(now); err != nil {
			b.t.Errorf("%s: %v", c.fault.name, err)
		}
		struck = time.Now()
		hanging := time.AfterFunc(2*longestHang, func() { process.Signal(syscall.SIGQUIT) }) // it tells where it hangs
		defer hanging.Stop()
		for range steps {
		}
	})
	r.failed, r.waited = err != nil, time.Since(struck)
	_, r.said, _ = strings.Cut(said, "\nError: ")
	if r.waited > longestHang {
		lose("the apply went on for %s:\n%s", r.waited, said)
	}
	if r.failed && c.fault.cause != nil && (!strings.Contains(r.said, now.node()) || !c.fault.cause.MatchString(r.said)) {
		lose("the error does not name %s and the cause", now.node())
	}
	if err := c.fault.lift(now); err != nil {
		lose("%v", err)
	}
	lifted := time.Now()
	for _, name := range bedDevices {
		if err := damagedFiles(b.Device(name).Home()); err != nil {
			lose("%s: %v", name, err)
		}
	}
	answer, err := b.answers(lifted)
	r.back = time.Since(lifted)
	if err != nil {
		lose("nothing answers once the fault is lifted: %v\n%s", err, b.look())
	}
	if out, err := b.edgeplan("apply", "-auto-approve"); err != nil {
		lose("the next apply: %v\n%s", err, out)
		b.t.Errorf("%s", r)
		b.t.FailNow()
	}
	before := b.answer
	b.answer = b.ask()
	switch answer {
	case before:
		r.serving = "old"
	case b.answer:
		r.serving = "new"
	default:
		r.serving = "nothing"
		lose("the answer is neither of the old nor of the new pipeline: %s", answer)
	}
	if out, err := b.edgeplan("plan", "-detailed-exitcode"); err != nil {
		lose("a plan after that: %v\n%s", err, out)
	}
	if err := b.tidy(); err != nil {
		lose("%v", err)
	}
	r.converged = len(r.losses) == 0
	if len(r.losses) > 0 {
		b.t.Errorf("%s", r)
	}
	return r
}

// answers asks until there is an answer.
func (b *matrixBed) answers(since time.Time) (string, error) {
	for {
		answer, err := b.infer()
		if err == nil || time.Since(since) > 2*longestHang {
			return answer, err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// look tells what there is on all devices.
func (b *matrixBed) look() string {
	status, _ := b.edgeplan("status")
	text := status
	for _, name := range bedDevices {
		text += "\n" + name + ":\n" + b.Device(name).Look()
	}
	return text
}

// damagedFiles names a blob, or a file of a release, that is not what its name or
// the release's list of digests says.
func damagedFiles(home string) error {
	blobs, err := filepath.Glob(filepath.Join(home, ".edgeplan", "blobs", "sha256", "[0-9a-f]*"))
	if err != nil {
		return err
	}
	var problems []error
	for _, blob := range blobs {
		if got := digestOf(blob); got != filepath.Base(blob) {
			problems = append(problems, fmt.Errorf("the blob %s has the digest %s", filepath.Base(blob), got))
		}
	}
	lists, _ := filepath.Glob(filepath.Join(home, ".edgeplan", "m-*", "releases", "*", "SHA256SUMS"))
	for _, list := range lists {
		if strings.HasSuffix(filepath.Dir(list), ".tmp") { // it is being built
			continue
		}
		content, _ := os.ReadFile(list)
		for line := range strings.Lines(string(content)) {
			digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
			if got := digestOf(filepath.Join(filepath.Dir(list), name)); got != digest {
				problems = append(problems, fmt.Errorf("%s of release %s has the digest %s", name, filepath.Base(filepath.Dir(list)), got))
			}
		}
	}
	return errors.Join(problems...)
}

func digestOf(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// tidy names what is left half done, or a state that is not whole.
func (b *matrixBed) tidy() error {
	content, err := os.ReadFile(filepath.Join(b.dir, statefile.StateFile))
	if err != nil {
		return err
	}
	if _, err := statefile.Parse(statefile.StateFile, content); err != nil {
		return err
	}
	for _, name := range bedDevices {
		err := filepath.WalkDir(filepath.Join(b.Device(name).Home(), ".edgeplan"), func(path string, _ fs.DirEntry, err error) error {
			if base := filepath.Base(path); strings.HasPrefix(base, ".tmp-") || strings.HasSuffix(base, ".tmp") || base == worker.PromisedLink {
				return fmt.Errorf("%s: %s is left", name, path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
