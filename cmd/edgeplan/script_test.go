package main_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/porttest"
	"github.com/edgeplan/edgeplan/worker"
)

var update = flag.Bool("update", false, "write the golden files of the scripts anew")

// program is the folder that holds a real build of edgeplan: the scripts run
// what users run.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if listen, home, ok := strings.Cut(os.Getenv(bedDevice), " "); ok {
		if err := serveBedDevice(listen, home); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if engine, model, ok := strings.Cut(os.Getenv(bedReference), " "); ok {
		if err := serveReference(engine, model); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "edgeplan-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	var workerProblem error
	var building sync.WaitGroup
	building.Go(func() { workerProblem = buildWorkerInto(dir) })
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "edgeplan"), ".")
	out, err := build.CombinedOutput()
	building.Wait()
	if err != nil || workerProblem != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s\n%v\n", err, out, workerProblem)
		return 1
	}
	program = dir
	return m.Run()
}

// buildWorkerInto puts the worker of this machine where a release archive has it, beside
// the program: otherwise each `edgeplan init` would build it.
func buildWorkerInto(dir string) error {
	_, err := artifact.Worker(context.Background(), runtime.GOOS+"/"+runtime.GOARCH, dir, artifact.FromEnvironment())
	return err
}

// TestScripts are the transcripts of every command, against embedded devices.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, params(t, "testdata/script", startEmbedded))
}

// TestEndToEnd is the whole way against real OpenSSH servers, each a process of
// its own with its own host key.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	probe := sshdtest.Start(t, sshdtest.Options{AuthorizedKey: key.public}) // skips, or fails where it must run
	probe.Kill()
	testscript.Run(t, params(t, "testdata/end-to-end", startSSHD))
}

// bed is how a script's devices are started.
type bed func(t testing.TB, host, home string, key ssh.PublicKey) started

// addresses counts the loopback addresses given out: scripts run side by side,
// and every device is a machine of its own.
var addresses atomic.Int32

// nextAddress is a loopback address that no other device has now; the process id keeps
// runs apart. Tests of the deployer have theirs from 127.100.0.0 on.
func nextAddress() string {
	return fmt.Sprintf("127.%d.%d.%d", 20+os.Getpid()/250%80, os.Getpid()%250, addresses.Add(1)%250+1)
}

// started is one device of a script.
type started struct {
	addr     string // host:port
	hostKey  string // authorized_keys line
	user     string
	embedded *device.Device // nil for a real sshd
	options  device.Options // of the embedded one
}

func startEmbedded(t testing.TB, host, home string, key ssh.PublicKey) started {
	t.Helper()
	o := device.Options{Address: host + ":0", Home: home, AuthorizedKey: key, HostKeys: []ssh.Signer{newHostKey(t)}}
	d, err := device.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	o.Address = d.Addr()
	return started{addr: d.Addr(), hostKey: d.HostKeyLine(), user: "pi", embedded: d, options: o}
}

func newHostKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func startSSHD(t testing.TB, host, home string, key ssh.PublicKey) started {
	t.Helper()
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	s := sshdtest.Start(t, sshdtest.Options{IP: host, Home: home, AuthorizedKey: key})
	return started{addr: s.Addr(), hostKey: s.HostKeyLine, user: s.User}
}

// stopWorkers ends the workers that a script leaves on its devices: they outlive
// the sessions that started them.
func stopWorkers(homes string) {
	locks, _ := filepath.Glob(filepath.Join(homes, "*", ".edgeplan", "*", "releases", "*", worker.LockFile))
	for _, lock := range locks {
		_ = worker.Stop(context.Background(), filepath.Dir(lock))
	}
}

// devicesKey finds a script's devices in its environment.
type devicesKey struct{}

type devices struct {
	t      testing.TB
	byName map[string]started
	key    key
	held   map[string]held
}

func params(t *testing.T, dir string, start bed) testscript.Params {
	engine := enginetest.Library(t)
	return testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return setUp(env, engine) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"devices":   func(ts *testscript.TestScript, neg bool, args []string) { startDevices(ts, args, start) },
			"off":       turnOff,
			"on":        turnOn,
			"await":     await,
			"freebytes": limitDisk,
			"model":     writeModel,
			"cmpplan":   comparePlans,
			"build":     buildModel,
			"tty":       onTerminal,
			"pretend":   pretend,
			"hold":      hold,
			"halt":      halt,
			"held":      awaitHeld,
			"release":   release,
			"states":    startStates,
			"status":    checkStatus,
			"freeport":  freePort,
			"external":  externalModel,
			"rewire":    rewireModel,
			"moved":     checkMoved,
		},
	}
}

// setUp gives a script a home folder of its own, the caches of this machine, and
// the program.
func setUp(env *testscript.Env, engine string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	goEnv, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		return err
	}
	dirs := strings.Split(strings.TrimSpace(string(goEnv)), "\n")
	env.Setenv("GOCACHE", dirs[0])
	env.Setenv("GOMODCACHE", dirs[1])
	env.Setenv("GOFLAGS", "-mod=mod")
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CACHE_HOME", cache)
	env.Setenv("ENGINE", engine)
	env.Setenv("EXAMPLES", absolute("../../examples"))
	env.Setenv("PATH", program+":"+os.Getenv("PATH"))
	t := env.T().(testing.TB)
	env.Defer(func() { stopWorkers(filepath.Join(env.WorkDir, "homes")) })
	env.Values[devicesKey{}] = &devices{t: t, byName: map[string]started{}, key: newKey(t), held: map[string]held{}}
	return nil
}

func absolute(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return full
}

// key is a client key.
type key struct {
	public  ssh.PublicKey
	private []byte // PEM
}

func newKey(t testing.TB) key {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key{sshPublic, pem.EncodeToMemory(block)}
}

// startDevices is `devices NAME…`: it starts them and writes id, known_hosts and
// devices.auto.vars.hcl, whose variable `devices` has host, port, user and architecture of each.
func startDevices(ts *testscript.TestScript, names []string, start bed) {
	all := ts.Value(devicesKey{}).(*devices)
	ts.Check(os.WriteFile(ts.MkAbs("id"), all.key.private, 0o600))
	var knownHosts, vars strings.Builder
	fmt.Fprintln(&vars, "devices = {")
	for _, name := range names {
		d := start(all.t, nextAddress(), ts.MkAbs("homes/"+name), all.key.public)
		all.byName[name] = d
		host, port, err := net.SplitHostPort(d.addr)
		ts.Check(err)
		fmt.Fprintf(&knownHosts, "[%s]:%s %s\n", host, port, d.hostKey)
		fmt.Fprintf(&vars, "  %s = { host = %q, port = %s, user = %q, architecture = %q }\n", name, host, port, d.user, "linux/"+runtime.GOARCH)
	}
	fmt.Fprintln(&vars, "}")
	ts.Check(os.WriteFile(ts.MkAbs("known_hosts"), []byte(knownHosts.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("devices.auto.vars.hcl"), []byte(vars.String()), 0o644))
}

// turnOff is `off NAME`: the device no longer answers.
func turnOff(ts *testscript.TestScript, _ bool, args []string) {
	d := embedded(ts, args[0])
	ts.Check(d.Close())
}

// turnOn is `on NAME [newkey]`: the device answers again, as it was, or with another host key.
func turnOn(ts *testscript.TestScript, _ bool, args []string) {
	all := ts.Value(devicesKey{}).(*devices)
	d := all.byName[args[0]]
	if len(args) > 1 {
		d.options.HostKeys = []ssh.Signer{newHostKey(all.t)}
	}
	again, err := device.Start(d.options)
	ts.Check(err)
	all.t.Cleanup(func() { again.Close() })
	d.embedded = again
	all.byName[args[0]] = d
}

// await is `await FILE PATTERN`: it goes on once a line of the file matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[1])
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if content, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(content) {
			return
		}
	}
	content, _ := os.ReadFile(ts.MkAbs(args[0]))
	ts.Fatalf("%s has no line like %s:\n%s", args[0], args[1], content)
}

// limitDisk is `freebytes NAME N`: the device's disk takes N bytes more; less than 0 is no limit.
func limitDisk(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	embedded(ts, args[0]).SetFreeBytes(n)
}

func embedded(ts *testscript.TestScript, name string) *device.Device {
	d, ok := ts.Value(devicesKey{}).(*devices).byName[name]
	if !ok || d.embedded == nil {
		ts.Fatalf("no embedded device %q was started", name)
	}
	return d.embedded
}

// writeModel is `model FILE [SEED]`: a small residual network.
func writeModel(ts *testscript.TestScript, _ bool, args []string) {
	seed := uint64(1)
	if len(args) > 1 {
		n, err := strconv.ParseUint(args[1], 10, 64)
		ts.Check(err)
		seed = n
	}
	model, err := modelbuilder.ResNet(seed, modelbuilder.Small())
	ts.Check(err)
	ts.Check(model.WriteFile(ts.MkAbs(args[0])))
}

// buildModel is `build NAME FILE`: a model of the builders' collection.
func buildModel(ts *testscript.TestScript, _ bool, args []string) {
	all, err := modelbuilder.All(1)
	ts.Check(err)
	for _, m := range all {
		if m.Name == args[0] {
			ts.Check(m.WriteFile(ts.MkAbs(args[1])))
			return
		}
	}
	ts.Fatalf("the builders have no model %q", args[0])
}

// checkStatus is `status N PROGRAM ARGS…`: exec, and the exit code must be N.
func checkStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exited *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exited) {
		got = exited.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// externalModel is `external FILE`: a residual network with its weights beside it.
func externalModel(ts *testscript.TestScript, _ bool, args []string) {
	m, err := modelbuilder.ResNet(1, modelbuilder.Small())
	ts.Check(err)
	ts.Check(m.WriteExternal(ts.MkAbs(args[0])))
}

// rewireModel is `rewire FROM NODE TENSOR TO`: a model whose node reads another tensor.
func rewireModel(ts *testscript.TestScript, _ bool, args []string) {
	var p onnxpb.ModelProto
	ts.Check(proto.Unmarshal([]byte(ts.ReadFile(args[0])), &p))
	for _, n := range p.Graph.Node {
		if n.GetName() == args[1] {
			n.Input[0] = args[2]
		}
	}
	raw, err := proto.Marshal(&p)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), raw, 0o644))
}

// uploads are sizes of what travels: they hold the worker, which another version
// of Go makes a little larger or smaller.
var uploads = regexp.MustCompile(`[0-9.]+ MiB( to |\)|\.\n)`)

// withoutUploads makes plans comparable.
func withoutUploads(plan string) string { return uploads.ReplaceAllString(plan, "N MiB$1") }

// comparePlans is `cmpplan FILE FILE`: cmp, but for the sizes of uploads.
func comparePlans(ts *testscript.TestScript, _ bool, args []string) {
	got, want := withoutUploads(ts.ReadFile(args[0])), withoutUploads(ts.ReadFile(args[1]))
	if diff := cmp.Diff(want, got); diff != "" {
		ts.Fatalf("plans differ (-%s +%s):\n%s", args[1], args[0], diff)
	}
}

// freePort is `freeport NAME`: sets a variable to a port of 127.0.0.1 that nobody
// listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	t := ts.Value(devicesKey{}).(*devices).t
	ts.Setenv(args[0], strconv.Itoa(porttest.Free(t, "127.0.0.1")))
}
