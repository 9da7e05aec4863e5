package deployer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// weightFile is a weight of a model's release on a node, as its release has it.
func (c *cluster) weightFile(node string, m statefile.Model) (string, statefile.Blob) {
	for _, slice := range m.Slices {
		if slice.Node == node {
			blob := slice.Weights[1]
			return filepath.Join(c.deployment(node, "net"), "releases", m.Release, blob.Name), blob
		}
	}
	c.t.Fatalf("no weight on %s", node)
	return "", statefile.Blob{}
}

// overwrite changes a byte in place, and so in all hard links, and may hide that.
func overwrite(t *testing.T, file string, hide bool) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content[:1], 0); err != nil {
		t.Fatal(err)
	}
	if hide {
		if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *cluster) refreshed(o Options) Observation {
	c.t.Helper()
	seen, err := Refresh(context.Background(), c.state(), nil, o)
	if err != nil {
		c.t.Fatal(err)
	}
	return seen
}

// A weight that was changed in place, at the same size, is found, is not counted as
// being there, and is brought anew.
func TestRefreshFindsChangedContent(t *testing.T) {
	c := newCluster(t, "a", "b")
	m := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": m})
	file, blob := c.weightFile("b", m)
	overwrite(t, file, false)
	seen := c.refreshed(c.options)
	if len(seen.Drift) != 1 || seen.Drift[0].Node != "b" || !seen.Drift[0].Restart || !strings.Contains(seen.Drift[0].Problem, blob.Digest[:12]+" has another content") {
		t.Fatalf("drift %+v", seen.Drift)
	}
	if _, held := seen.Held["b"][blob.Digest]; held {
		t.Error("the changed weight counts as held")
	}
	if err := c.apply(c.repair(m)); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != string(c.blobs[blob.Digest]) {
		t.Errorf("after the repair: %q, %v", content, err)
	}
	if seen := c.refreshed(c.options); len(seen.Drift) > 0 {
		t.Errorf("after the repair: %+v", seen.Drift)
	}
}

// A device that answers and has lost the address at which the others look for it is named.
func TestRefreshNamesALostAddress(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a", "b")})
	c.write(filepath.Join(c.homes["b"], "lost-address"), "192.0.2.7")
	seen := c.refreshed(c.options)
	if len(seen.Drift) != 1 || seen.Drift[0].Node != "b" || !strings.Contains(seen.Drift[0].Problem, "192.0.2.7") || !strings.Contains(seen.Drift[0].Problem, "pipeline_address") {
		t.Errorf("drift %+v", seen.Drift)
	}
}

// Whoever sets the time back hides a change from the quick look, not from the thorough one.
func TestRefreshHashesAll(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	file, _ := c.weightFile("a", m)
	overwrite(t, file, true)
	if seen := c.refreshed(c.options); len(seen.Drift) > 0 {
		t.Fatalf("the quick look found %+v: this test has become pointless", seen.Drift)
	}
	all := c.options
	all.HashAll = true
	if seen := c.refreshed(all); len(seen.Drift) != 1 || !strings.Contains(seen.Drift[0].Problem, "another content") {
		t.Errorf("drift %+v", seen.Drift)
	}
}

// A file that was touched and holds what it should is no drift, and has its time again.
func TestRefreshForgivesTouch(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	file, _ := c.weightFile("a", m)
	if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if seen := c.refreshed(c.options); len(seen.Drift) > 0 {
		t.Errorf("drift %+v", seen.Drift)
	}
	c.checkTimes(t, m)
}

// A file that was written to while it was hashed does not get the time of one that is whole.
func TestNoStampOnWhatWasWrittenTo(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	file, blob := c.weightFile("a", m)
	s, old, written := c.open("a"), time.Unix(1_700_000_000, 0), time.Unix(1_700_000_100, 0)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{written, old} { // as the file is when it was hashed
		listed, err := s.list(context.Background(), filepath.Dir(file))
		if err == nil {
			err = errors.Join(os.Chtimes(file, at, at), s.stamp(context.Background(), filepath.Dir(file), []statefile.Blob{blob}, listed))
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil || !info.ModTime().Equal(at) {
			t.Errorf("%v, want %v (%v)", info.ModTime(), at, err)
		}
	}
	listed, err := s.list(context.Background(), filepath.Dir(file))
	if err := errors.Join(err, s.stamp(context.Background(), filepath.Dir(file), []statefile.Blob{blob}, listed)); err != nil {
		t.Fatal(err)
	}
	c.checkTimes(t, m)
}

// Every blob of a release has the time that tells its digest, however it came: alone,
// in an archive, or from an edgeplan that did not do so yet.
func TestBlobsHaveTheirTimes(t *testing.T) {
	c := newCluster(t, "a")
	first := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": first})
	c.checkTimes(t, first)
	for _, blob := range plan.NodeBlobs(&first, "a") {
		if err := os.Chtimes(filepath.Join(c.root("a"), "blobs", "sha256", blob.Digest), time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	second := c.model("net", "2", 7434, "a")
	c.mustApply(models{"net": second})
	c.checkTimes(t, second)
}

func (c *cluster) checkTimes(t *testing.T, m statefile.Model) {
	t.Helper()
	for _, blob := range plan.NodeBlobs(&m, "a") {
		info, err := os.Stat(filepath.Join(c.deployment("a", "net"), "releases", m.Release, blob.Name))
		if err != nil || !info.ModTime().Equal(blobTime(blob.Digest)) {
			t.Errorf("%s: %v, want %v (%v)", blob.Name, info.ModTime(), blobTime(blob.Digest), err)
		}
	}
}

// A device that shows another host key is drift, with both keys, and nobody logs in.
func TestRefreshFindsChangedHostKey(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a", "b")})
	state := c.state()
	known := state.Nodes["b"]
	was := known.SSH.HostKey
	known.SSH.HostKey = state.Nodes["a"].SSH.HostKey
	state.Nodes["b"] = known
	seen, err := Refresh(context.Background(), state, nil, c.options)
	if err != nil || len(seen.Drift) != 1 || seen.Drift[0].Node != "b" {
		t.Fatalf("drift %+v, error %v", seen.Drift, err)
	}
	for _, line := range []string{was, known.SSH.HostKey} {
		if print := ssh.FingerprintSHA256(publicKey([]byte(line))); !strings.Contains(seen.Drift[0].Problem, print) {
			t.Errorf("no %s in %q", print, seen.Drift[0].Problem)
		}
	}
	if _, asked := seen.Held["b"]; asked {
		t.Error("the device was asked what it holds")
	}
}

// An excluded device is not touched, although it could be reached, and is cleaned by the
// first run that does not exclude it.
func TestExcludedDeviceIsLeftAlone(t *testing.T) {
	c := newCluster(t, "a", "b")
	first, second := c.model("net", "1", 7433, "a", "b"), c.model("net", "2", 7434, "a")
	c.mustApply(models{"net": first})
	before := c.tree("b")
	p := c.plan(models{"net": second})
	p.Excluded, p.Desired.Nodes["b"] = []string{"b"}, p.Prior.Nodes["b"]
	if err := c.apply(p); err != nil {
		t.Fatal(err)
	}
	if after := c.tree("b"); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("b was changed:\n%s", strings.Join(after, "\n"))
	}
	if _, known := c.state().Nodes["b"]; !known {
		t.Fatal("the state has forgotten b")
	}
	c.mustApply(models{"net": second})
	if left := c.tree("b"); len(left) > 0 {
		t.Errorf("b still holds %q", left)
	}
	if _, known := c.state().Nodes["b"]; known {
		t.Error("the state still has b")
	}
}

// A disabled device that is away is a warning, and stays in the state.
func TestDisabledDeviceMayBeAway(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a", "b")})
	c.devices["b"].Close()
	p := c.plan(models{"net": c.model("net", "2", 7434, "a")})
	p.Disabled = []string{"b"}
	var warned string
	c.options.Progress = func(e Event) {
		if e.Kind == "warning" {
			warned = e.Node + ": " + e.Message
		}
	}
	if err := c.apply(p); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(warned, "b: ") || !strings.Contains(warned, "still to be removed") {
		t.Errorf("warned %q", warned)
	}
	if _, known := c.state().Nodes["b"]; !known {
		t.Error("the state has forgotten b")
	}
}
