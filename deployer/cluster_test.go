package deployer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

const testLineage = "12345678-1234-4234-8234-123456789abc"

// cluster is some devices and what a plan for them is made of.
type cluster struct {
	t        testing.TB
	identity string // file of the operator's key
	key      ssh.PublicKey
	nodes    map[string]statefile.Node
	homes    map[string]string
	devices  map[string]*embedded.Device // embedded ones
	blobs    memory
	recorder *recorder
	options  Options
	lineage  string
}

// newCluster starts embedded devices a, b, c, …
func newCluster(t testing.TB, names ...string) *cluster {
	t.Helper()
	c := emptyCluster(t)
	for _, name := range names {
		c.addDevice(name, embedded.Options{})
	}
	return c
}

func emptyCluster(t testing.TB) *cluster {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // no key or known_hosts of whoever runs the test
	t.Setenv("SSH_AUTH_SOCK", "")
	return bareCluster(t)
}

// bareCluster is an empty cluster for a parallel test, which cannot change the
// environment. Its nodes name key and host key, so they do not depend on it.
func bareCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{t: t, nodes: map[string]statefile.Node{}, homes: map[string]string{},
		devices: map[string]*embedded.Device{}, blobs: memory{}, recorder: &recorder{}, lineage: testLineage}
	c.identity, c.key = writeIdentity(t)
	c.options = Options{Attempts: 1, DialTimeout: 2 * time.Second, HandshakeTimeout: 10 * time.Second,
		AnswerTimeout: 20 * time.Second, StartTimeout: 20 * time.Second, ProbeTimeout: 20 * time.Second,
		Holder: Holder{Who: "ana@laptop", Operation: "apply", State: "ana's"}, probe: c.echoes}
	return c
}

func writeIdentity(t testing.TB) (string, ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return file, signer.PublicKey()
}

func (c *cluster) addDevice(name string, o embedded.Options) *embedded.Device {
	c.t.Helper()
	o.Address, o.AuthorizedKey = "127.0.0.1:0", c.key
	if o.Home == "" {
		o.Home = c.t.TempDir()
	}
	d, err := embedded.Start(o)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { d.Close() })
	c.devices[name] = d
	c.addNode(name, d.Addr(), d.HostKeyLine(), d.Home(), ".edgeplan")
	return d
}

// addSSHD starts an OpenSSH server.
func (c *cluster) addSSHD(name string, o sshdtest.Options, path string) *sshdtest.Server {
	c.t.Helper()
	o.AuthorizedKey = c.key
	s := sshdtest.Start(c.t, o)
	c.addNode(name, s.Addr(), s.HostKeyLine, s.Home, path)
	c.with(name, func(known *statefile.SSH) { known.User = s.User })
	return s
}

// addresses counts the loopback addresses given to nodes: other programs of this
// machine may listen on 127.0.0.1.
var addresses atomic.Int32

func ownAddress() string {
	n := addresses.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 100+os.Getpid()/250%100, os.Getpid()%250, n%250+1)
}

func (c *cluster) addNode(name, addr, hostKey, home, path string) {
	c.t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		c.t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		c.t.Fatal(err)
	}
	c.homes[name] = home
	c.nodes[name] = statefile.Node{
		SSH:  statefile.SSH{Host: host, Port: number, User: "pi", IdentityFile: c.identity, HostKey: hostKey},
		Path: path, Architecture: runtime.GOOS + "/" + runtime.GOARCH, PipelineAddress: ownAddress(),
	}
}

// echoes is the probe of workers whose proxy is cat.
func (c *cluster) echoes(ctx context.Context, conn net.Conn, name string, m *statefile.Model) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return err
	}
	var answer [6]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	for _, node := range plan.ReleaseNodes(m) {
		if !c.running(node, name, m.Release) {
			return fmt.Errorf("stage on %s is away", node)
		}
	}
	return nil
}

// memory is a source of blobs.
type memory map[string][]byte

func (m memory) Open(digest string) (io.ReadCloser, error) {
	content, ok := m[digest]
	if !ok {
		return nil, fmt.Errorf("blob %s is not part of this plan", digest)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (m memory) add(name string, content []byte) statefile.Blob {
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	m[digest] = content
	if name == "" {
		name = digest
	}
	return statefile.Blob{Name: name, Digest: digest, Size: int64(len(content))}
}

// recorder is a state file in memory.
type recorder struct {
	mu     sync.Mutex
	state  *statefile.State
	writes int
	refuse func(write int) error
}

func (r *recorder) Record(s *statefile.State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	if r.refuse != nil {
		if err := r.refuse(r.writes); err != nil {
			return err
		}
	}
	s.Serial++
	content, err := statefile.EncodeState(s)
	if err != nil {
		return err
	}
	if _, err := statefile.Parse("state", content); err != nil { // a state that no later run could read
		return err
	}
	r.state = statefile.Clone(s)
	return nil
}

func (c *cluster) state() *statefile.State {
	if c.recorder.state != nil {
		return statefile.Clone(c.recorder.state)
	}
	return &statefile.State{FormatVersion: 1, Lineage: c.lineage, Nodes: map[string]statefile.Node{},
		Models: map[string]statefile.Model{}, Outputs: map[string]json.RawMessage{}}
}

// fakeWorker is the script that stands in for the worker program.
func fakeWorker(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "worker.sh"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// model is a pipeline over nodes in their order; each stage has some weights
// that depend on the version and one that does not.
func (c *cluster) model(name, version string, port int, nodes ...string) statefile.Model {
	info := tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{1, 4}}
	m := statefile.Model{SourceDigest: strings.Repeat("5", 64), Optimization: "extended", Queue: 2,
		Gateway: nodes[0], GatewayPort: port, TimeoutSeconds: 5,
		Inputs: []tensor.Info{info}, Outputs: []tensor.Info{info}, Programs: map[string][]statefile.Blob{}}
	program := c.blobs.add(worker.ProgramFile, fakeWorker(c.t))
	for i, node := range nodes {
		m.Slices = append(m.Slices, statefile.Slice{
			Node: node, FirstSegment: i, LastSegment: i, Port: port, Inputs: m.Inputs, Outputs: m.Outputs,
			Graph: c.blobs.add(worker.GraphFile, fmt.Appendf(nil, "graph %s %s %d", name, version, i)),
			Weights: []statefile.Blob{
				c.blobs.add("", fmt.Appendf(nil, "weights %s %d", name, i)),
				c.blobs.add("", fmt.Appendf(nil, "weights %s %s %d", name, version, i)),
			},
		})
		m.Programs[node] = []statefile.Blob{program}
	}
	m.Release = plan.ReleaseID(name, &m, c.nodes)
	return m
}

// plan goes from the recorded state to some models.
func (c *cluster) plan(models map[string]statefile.Model) *plan.Plan {
	prior, desired := c.state(), c.state()
	desired.Models, desired.Nodes = models, map[string]statefile.Node{}
	desired.Outputs = map[string]json.RawMessage{}
	for _, m := range models {
		for _, node := range plan.ReleaseNodes(&m) {
			desired.Nodes[node] = withKey(c.nodes[node], prior.Nodes[node].PublicKey)
		}
	}
	c.keepBefore(prior, desired)
	return &plan.Plan{Prior: prior, Desired: desired, Deployments: plan.Diff(prior, desired), Blobs: c.blobs}
}

// keepBefore keeps the release before, where it was on no other nodes.
func (c *cluster) keepBefore(prior, desired *statefile.State) {
	desired.Earlier = nil
	for name, m := range desired.Models {
		list := prior.Earlier[name]
		if from, ok := prior.Models[name]; ok && from.Release != m.Release {
			list = []statefile.Model{from}
		}
		gone := func(e statefile.Model) bool {
			return slices.ContainsFunc(plan.ReleaseNodes(&e), func(node string) bool { _, stays := desired.Nodes[node]; return !stays })
		}
		setEarlier(desired, name, slices.DeleteFunc(slices.Clone(list), gone))
	}
}

func (c *cluster) apply(p *plan.Plan) error {
	return Apply(context.Background(), p, c.recorder, c.options)
}

func (c *cluster) mustApply(models map[string]statefile.Model) {
	c.t.Helper()
	if err := c.apply(c.plan(models)); err != nil {
		c.t.Fatal(err)
	}
}

// root is edgeplan's folder on a node, as this machine sees it.
func (c *cluster) root(node string) string {
	if path := c.nodes[node].Path; filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.homes[node], c.nodes[node].Path)
}

func (c *cluster) deployment(node, model string) string {
	return filepath.Join(c.root(node), DeploymentName(model, c.lineage))
}

func (c *cluster) running(node, model, release string) bool {
	_, err := os.Stat(filepath.Join(c.deployment(node, model), "releases", release, "running"))
	return err == nil
}

func (c *cluster) current(node, model string) string {
	target, err := os.Readlink(filepath.Join(c.deployment(node, model), "current"))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// serves checks that a release, and no other, is deployed and runs.
func (c *cluster) serves(model string, m statefile.Model) error {
	var problems []error
	if got := c.state().Models[model].Release; got != m.Release {
		problems = append(problems, fmt.Errorf("the state has release %q of %s, not %s", got, model, m.Release))
	}
	for _, node := range plan.ReleaseNodes(&m) {
		if got := c.current(node, model); got != m.Release {
			problems = append(problems, fmt.Errorf("%s: current is %q, not %s", node, got, m.Release))
		}
		releases, err := filepath.Glob(filepath.Join(c.deployment(node, model), "releases", "*"))
		if err != nil {
			return err
		}
		for _, dir := range releases {
			release := filepath.Base(dir)
			if runs := c.running(node, model, release); runs != (release == m.Release) {
				problems = append(problems, fmt.Errorf("%s: release %s running is %v", node, release, runs))
			}
		}
		if !c.running(node, model, m.Release) {
			problems = append(problems, fmt.Errorf("%s: release %s does not run", node, m.Release))
		}
	}
	return errors.Join(problems...)
}

// tree lists what is in a node's home folder, sorted.
func (c *cluster) tree(node string) []string {
	c.t.Helper()
	var list []string
	err := filepath.WalkDir(c.homes[node], func(path string, _ os.DirEntry, err error) error {
		if name, _ := filepath.Rel(c.homes[node], path); name != "." {
			list = append(list, name)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return list
}

// operations counts what is asked of a device, by name.
func (c *cluster) operations(node string) func() map[string]int {
	var mu sync.Mutex
	counts := map[string]int{}
	c.devices[node].SetFault(func(op embedded.Operation) embedded.Action {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind == embedded.SFTP {
			counts[op.Name]++
		} else {
			counts["exec"]++
		}
		return embedded.Proceed
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(counts)
	}
}
