package deployer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/google/go-cmp/cmp"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

type models = map[string]statefile.Model

// The life of a deployment on every kind of SSH server: created, found as it
// should be, replaced by a version that leaves a device, destroyed.
func TestLifeOfADeployment(t *testing.T) {
	kinds := map[string]func(c *cluster, node string){
		"embedded":                  func(c *cluster, node string) { c.addDevice(node, embedded.Options{}) },
		"embedded with sftp-server": addWithSFTPServer,
		"sshd":                      func(c *cluster, node string) { c.addSSHD(node, sshdtest.Options{}, ".edgeplan") },
		"sshd with internal-sftp":   addInternalSFTP,
	}
	for name, add := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			for _, node := range []string{"a", "b", "c"} {
				add(c, node)
			}
			live(t, c)
		})
	}
}

func addWithSFTPServer(c *cluster, node string) {
	const program = "/usr/lib/openssh/sftp-server"
	if _, err := os.Stat(program); err != nil {
		c.t.Skip(err)
	}
	c.addDevice(node, embedded.Options{SFTPServer: program})
}

// addInternalSFTP has sessions in the user's real home folder, so the path is
// absolute; it is a nasty one as well.
func addInternalSFTP(c *cluster, node string) {
	home := c.t.TempDir()
	c.addSSHD(node, sshdtest.Options{Home: home, InternalSFTP: true}, filepath.Join(home, "it's a \"größe\"; $(x)\n-rf"))
}

func live(t *testing.T, c *cluster) {
	first := c.model("net", "1", 7433, "a", "b", "c")
	c.mustApply(models{"net": first})
	if err := c.serves("net", first); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"a", "b", "c"} {
		if c.state().Nodes[node].PublicKey == "" {
			t.Errorf("%s: no public key in the state", node)
		}
	}
	seen, err := Refresh(context.Background(), c.state(), nil, c.options)
	drift := seen.Drift
	if err != nil || len(drift) > 0 {
		t.Fatalf("drift %v, error %v", drift, err)
	}

	second := c.model("net", "2", 7434, "b", "a")
	c.mustApply(models{"net": second})
	if err := c.serves("net", second); err != nil {
		t.Fatal(err)
	}
	if _, known := c.state().Nodes["c"]; known {
		t.Error("c left the pipeline and is still in the state")
	}
	if left := c.tree("c"); len(left) > 0 {
		t.Errorf("c is not clean: %q", left)
	}
	if _, err := os.Stat(filepath.Join(c.deployment("a", "net"), "releases", first.Release, "manifest.json")); err == nil {
		t.Error("the release before is kept, and the device that it needs as well is not")
	}

	c.mustApply(models{})
	for _, node := range []string{"a", "b"} {
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%s is not clean: %q", node, left)
		}
	}
	if s := c.state(); len(s.Nodes) > 0 || len(s.Models) > 0 {
		t.Errorf("the state still has %v %v", s.Nodes, s.Models)
	}
}

// What a device has is not sent again, and what it has is looked at once.
func TestSecondApplyUploadsNothing(t *testing.T) {
	c := newCluster(t, "a", "b")
	first := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": first})
	uploads := 0
	c.options.Progress = func(e Event) {
		if e.Kind == "upload" {
			uploads++
		}
	}
	counts := c.operations("b")
	if err := c.apply(c.repair(first)); err != nil {
		t.Fatal(err)
	}
	if uploads > 0 || counts()["write"] > 0 {
		t.Errorf("%d upload events, %v", uploads, counts())
	}
	if err := c.serves("net", first); err != nil {
		t.Error(err)
	}
}

// A new version sends what changed and nothing else.
func TestOnlyChangedBlobsAreSent(t *testing.T) {
	c := newCluster(t, "a")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
	var total int64
	c.options.Progress = func(e Event) { total = max(total, e.Total) }
	second := c.model("net", "2", 7434, "a")
	c.mustApply(models{"net": second})
	want := second.Slices[0].Graph.Size + second.Slices[0].Weights[1].Size
	if total != want {
		t.Errorf("%d bytes were sent, want %d", total, want)
	}
}

func TestKeepsTwoReleasesAndTheirBlobs(t *testing.T) {
	c := newCluster(t, "a")
	var versions []statefile.Model
	for _, version := range []string{"1", "2", "3"} {
		m := c.model("net", version, 7433, "a")
		versions = append(versions, m)
		c.mustApply(models{"net": m})
	}
	releases, err := filepath.Glob(filepath.Join(c.deployment("a", "net"), "releases", "*"))
	if err != nil || len(releases) != 2 {
		t.Errorf("releases %v, error %v", releases, err)
	}
	for i, m := range versions {
		_, err := os.Stat(filepath.Join(c.root("a"), "blobs", "sha256", m.Slices[0].Graph.Digest))
		if kept := err == nil; kept != (i > 0) {
			t.Errorf("version %d: blob is there: %v", i+1, kept)
		}
	}
}

// All that stands in the way is told at once, and nothing is written.
func TestPreflightTellsOfAllDevices(t *testing.T) {
	c := newCluster(t, "a", "b", "c", "d")
	wrong := c.nodes["b"]
	wrong.Architecture = "linux/arm"
	c.nodes["b"] = wrong
	c.devices["c"].SetFreeBytes(1000)
	c.devices["d"].Close()
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a", "b", "c", "d")}))
	if err == nil {
		t.Fatal("applied")
	}
	for _, want := range []string{"b: the device is linux/amd64", "c: the disk is too full", "d: cannot be reached at 127.0.0.1:"} {
		if !strings.Contains(strings.ReplaceAll(err.Error(), "arm64", "amd64"), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	for _, node := range []string{"a", "b", "c"} {
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%s: %q was written", node, left)
		}
	}
	if c.recorder.writes > 0 {
		t.Error("the state was written")
	}
}

func TestFailureLeavesOldReleaseRunning(t *testing.T) {
	tests := map[string]struct {
		how  plan.Switch
		harm func(c *cluster)
		want string
	}{
		"worker does not start beside":                    {plan.Beside, refuseStart, "engine: out of memory"},
		"worker does not start after the old one stopped": {plan.StopFirst, refuseStart, "was started again"},
		"probe fails":             {plan.Beside, failProbe, "does not answer"},
		"probe fails, stop first": {plan.StopFirst, failProbe, "was started again"},
		"disk full": {plan.Beside, func(c *cluster) {
			c.devices["b"].SetFault(func(op embedded.Operation) embedded.Action {
				if op.Bytes > 0 {
					c.devices["b"].SetFreeBytes(0)
				}
				return embedded.Proceed
			})
		}, "b: upload: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "a", "b", "c")
			old := c.model("net", "1", 7433, "a", "b", "c")
			c.mustApply(models{"net": old})
			test.harm(c)
			p := c.plan(models{"net": c.model("net", "2", 7434, "a", "b", "c")})
			p.Deployments[0].Switch = test.how
			err := c.apply(p)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			if err := c.serves("net", old); err != nil {
				t.Error(err)
			}
		})
	}
}

// After a first apply that failed, nothing is deployed, and destroying cleans
// the devices.
func TestFailedFirstApplyCanBeDestroyed(t *testing.T) {
	c := newCluster(t, "a", "b")
	failProbe(c)
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a", "b")}))
	if err == nil || !strings.Contains(err.Error(), "nothing of it runs") {
		t.Errorf("error %v", err)
	}
	if s := c.state(); len(s.Models) > 0 || len(s.Nodes) != 2 {
		t.Errorf("the state has models %v and nodes %v", s.Models, s.Nodes)
	}
	c.devices["a"].SetFault(nil)
	if err := c.apply(plan.Destroy(c.state())); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"a", "b"} {
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%s is not clean: %q", node, left)
		}
	}
	if s := c.state(); len(s.Nodes) > 0 {
		t.Errorf("the state still has %v", s.Nodes)
	}
}

// A device that stops answering SFTP, while its connection lives, is given up.
func TestSFTPThatHangs(t *testing.T) {
	c := newCluster(t, "a")
	c.options.AnswerTimeout = 3 * time.Second // what works must be done within that on a busy machine
	c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
		if op.Name == "write" {
			return embedded.Hang
		}
		return embedded.Proceed
	})
	start := time.Now()
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
	if err == nil || !strings.Contains(err.Error(), "a: upload: ") || !strings.Contains(err.Error(), "SFTP did not answer") {
		t.Errorf("error %v", err)
	}
	if time.Since(start) > 40*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}

// refuseStart lets b start the release it has, and no other.
func refuseStart(c *cluster) {
	c.devices["b"].SetFault(func(op embedded.Operation) embedded.Action {
		if op.Kind == embedded.Exec && strings.Contains(op.Name, "'start'") && !strings.Contains(op.Name, c.state().Models["net"].Release) {
			_ = os.WriteFile(filepath.Join(c.homes["b"], "refuse-start"), []byte("engine: out of memory"), 0o600)
		} else {
			_ = os.Remove(filepath.Join(c.homes["b"], "refuse-start"))
		}
		return embedded.Proceed
	})
}

func failProbe(c *cluster) {
	c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
		if op.Kind == embedded.Exec && strings.Contains(op.Name, "'proxy'") {
			return embedded.Fail
		}
		return embedded.Proceed
	})
}

func TestInterruptedApplyIsUndone(t *testing.T) {
	c := newCluster(t, "a", "b")
	old := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": old})
	ctx, cancel := context.WithCancel(context.Background())
	c.options.Progress = func(e Event) {
		if e.Kind == "probe" {
			cancel()
		}
	}
	p := c.plan(models{"net": c.model("net", "2", 7434, "a", "b")})
	err := Apply(ctx, p, c.recorder, c.options)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := c.serves("net", old); err != nil {
		t.Error(err)
	}
}

// A device that is gone for good does not hold up those that go on without it.
func TestLeavingDeviceThatIsAway(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a", "b")})
	c.devices["b"].Close()
	second := c.model("net", "2", 7434, "a")
	err := c.apply(c.plan(models{"net": second}))
	if err == nil || !strings.Contains(err.Error(), "b: cannot be reached") {
		t.Errorf("error %v", err)
	}
	if err := c.serves("net", second); err != nil {
		t.Error(err)
	}
	if _, kept := c.state().Nodes["b"]; !kept {
		t.Error("the state forgot b")
	}
}

func TestStateThatCannotBeWritten(t *testing.T) {
	c := newCluster(t, "a")
	old := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": old})
	second := c.model("net", "2", 7434, "a")
	broken := errors.New("disk full here")
	c.recorder.refuse = func(int) error { return broken }
	if err := c.apply(c.plan(models{"net": second})); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	c.recorder.refuse = nil
	c.mustApply(models{"net": second})
	if err := c.serves("net", second); err != nil {
		t.Error(err)
	}
}

// A blob that went bad on the device is found before anything starts on it.
func TestDamagedBlobIsReplaced(t *testing.T) {
	c := newCluster(t, "a")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
	second := c.model("net", "2", 7434, "a")
	shared := filepath.Join(c.root("a"), "blobs", "sha256", second.Slices[0].Weights[0].Digest)
	content, err := os.ReadFile(shared)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1
	if err := os.WriteFile(shared, content, 0o600); err != nil {
		t.Fatal(err)
	}
	c.mustApply(models{"net": second})
	if err := c.serves("net", second); err != nil {
		t.Error(err)
	}
}

// Two states share a device: neither takes the other's files away.
func TestForeignFilesStay(t *testing.T) {
	c := newCluster(t, "a")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
	other := filepath.Join(c.root("a"), "net-ffffffff", "releases", "abc")
	blob := strings.Repeat("e", 64)
	for path, content := range map[string]string{
		filepath.Join(other, "SHA256SUMS"):                  blob + "  slice.onnx\n",
		filepath.Join(c.root("a"), "blobs", "sha256", blob): "theirs",
		filepath.Join(c.root("a"), "notes.txt"):             "mine",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.mustApply(models{})
	want := []string{".edgeplan", ".edgeplan/blobs", ".edgeplan/blobs/sha256", ".edgeplan/blobs/sha256/" + blob,
		".edgeplan/key.pem", ".edgeplan/net-ffffffff", ".edgeplan/net-ffffffff/releases",
		".edgeplan/net-ffffffff/releases/abc", ".edgeplan/net-ffffffff/releases/abc/SHA256SUMS", ".edgeplan/notes.txt"}
	if diff := cmp.Diff(want, c.tree("a")); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

func TestRefreshFindsDrift(t *testing.T) {
	tests := map[string]struct {
		harm func(release string) error
		want string
	}{
		"worker": {func(release string) error { return os.Remove(filepath.Join(release, "running")) }, "the worker is not running"},
		"file":   {func(release string) error { return os.Remove(filepath.Join(release, "slice.onnx")) }, "slice.onnx is missing"},
		"folder": {func(release string) error { return os.RemoveAll(release) }, "its folder is gone"},
		"link": {func(release string) error {
			return os.Remove(filepath.Join(release, "..", "..", "current"))
		}, "the link to the current release is gone"},
		"folder for link": {func(release string) error {
			current := filepath.Join(release, "..", "..", "current")
			return errors.Join(os.Remove(current), os.Mkdir(current, 0o700))
		}, "current is no link"},
		"full folder for link": {func(release string) error {
			current := filepath.Join(release, "..", "..", "current")
			return errors.Join(os.Remove(current), os.MkdirAll(filepath.Join(current, "mine"), 0o700))
		}, "current is no link"},
		"no key": {func(release string) error {
			return os.Remove(filepath.Join(release, "..", "..", "..", worker.KeyFile))
		}, "key.pem is missing"},
		"other key": {func(release string) error {
			key := filepath.Join(release, "..", "..", "..", worker.KeyFile)
			return os.WriteFile(key, []byte(strings.Repeat("A", 43)+"="), 0o600)
		}, "key.pem is another key"},
		"program": {func(release string) error {
			return damage(filepath.Join(release, worker.ProgramFile))
		}, "edgeplan-worker has another content"},
		"weight of the same size": {func(release string) error {
			return damage(filepath.Join(release, "slice.onnx"))
		}, "slice.onnx has another content"},
		"neighbours' keys": {func(release string) error {
			return damage(filepath.Join(release, worker.PeersFile))
		}, "peers.json is another one"},
		"manifest": {func(release string) error {
			return damage(filepath.Join(release, worker.ManifestFile))
		}, "manifest.json is another one"},
		"stray": {func(release string) error {
			stray := filepath.Join(filepath.Dir(release), "stray")
			if err := os.CopyFS(stray, os.DirFS(release)); err != nil {
				return err
			}
			return os.Chmod(filepath.Join(stray, "edgeplan-worker"), 0o700)
		}, "release stray still runs"},
	}
	c := newCluster(t, "a", "b")
	m := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": m})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := test.harm(filepath.Join(c.deployment("b", "net"), "releases", m.Release)); err != nil {
				t.Fatal(err)
			}
			seen, err := Refresh(context.Background(), c.state(), nil, c.options)
			drift := seen.Drift
			if err != nil {
				t.Fatal(err)
			}
			if len(drift) != 1 || drift[0].Node != "b" || drift[0].Model != "net" || !strings.Contains(drift[0].Problem, test.want) {
				t.Errorf("drift %+v, want %q on b", drift, test.want)
			}
			if err := c.apply(c.repair(m)); err != nil {
				t.Fatal(err)
			}
			if seen, err = Refresh(context.Background(), c.state(), nil, c.options); err != nil || len(seen.Drift) > 0 {
				t.Errorf("after the repair: drift %v, error %v", seen.Drift, err)
			}
		})
	}
}

func TestRefreshNamesDevicesThatAreAway(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a", "b")})
	c.devices["b"].Close()
	_, err := Refresh(context.Background(), c.state(), nil, c.options)
	var named *DeviceError
	if !errors.As(err, &named) || named.Node != "b" {
		t.Errorf("error %v", err)
	}
}

// A gateway that dies while it is asked is told of as that.
func TestGatewayEndsWhileAsked(t *testing.T) {
	for err, want := range map[error]bool{
		&worker.RequestError{Code: codes.Unavailable, Message: "error reading from server: EOF"}:            true,
		&worker.RequestError{Code: codes.Unavailable, Message: "stage 1 on node.b does not answer"}:         false,
		&worker.RequestError{Code: codes.Internal, Message: "the engine met EOF"}:                           false,
		errors.New("the answer has 1 outputs instead of 2"):                                                 false,
		fmt.Errorf("net: %w", &worker.RequestError{Code: codes.Unavailable, Message: "closing: read: EOF"}): true,
	} {
		if brokenOff(err) != want {
			t.Errorf("%v: want %v", err, want)
		}
	}
}
