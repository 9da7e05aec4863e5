package deployer

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// limited adds an OpenSSH server whose sessions may write files of 2 MiB.
func (c *cluster) limited(name string) {
	c.t.Helper()
	home := c.t.TempDir()
	session := filepath.Join(c.t.TempDir(), "session")
	c.write(session, fmt.Sprintf("ulimit -f 4096\nexport HOME=%s EDGEPLAN_SUPERVISION=none\ncd\nexec sh -c \"$SSH_ORIGINAL_COMMAND\"\n", quote(home)))
	c.addSSHD(name, sshdtest.Options{Home: home, Config: []string{"ForceCommand sh " + session}}, ".edgeplan")
}

// A device that limits the size of files is named with what to do, and keeps nothing of a file that is too big.
func TestFilesMayBeTooBig(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.limited("a")
	s := c.open("a")
	small, big := c.blobs.add("", noise(1, 1_500_000)), c.blobs.add("", noise(2, 5<<20))
	err := s.upload(context.Background(), c.blobs, []statefile.Blob{big})
	mentions(t, err, blobName(big), "may have 2.0 MiB at most", "limits.conf", "ulimit -f")
	if err := s.upload(context.Background(), c.blobs, []statefile.Blob{small}); err != nil {
		t.Errorf("what is small enough, on the same connection: %v", err)
	}
	c.inPlace("a", []statefile.Blob{small})
}

// Small files that are within the limit arrive, also where an archive of them is not.
func TestSmallFilesGoAloneWhereArchivesAreTooBig(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.limited("a")
	var blobs []statefile.Blob
	for seed := range 4 {
		blobs = append(blobs, c.blobs.add("", noise(uint64(seed), 900_000)))
	}
	if err := c.open("a").upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	c.inPlace("a", blobs)
}

// An apply finds that before it writes anything.
func TestPreflightFindsLimitsOfFiles(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.limited("a")
	m := c.model("net", "1", 7433, "a")
	m.Slices[0].Weights = append(m.Slices[0].Weights, c.blobs.add("", noise(1, 3<<20)))
	m.Release = plan.ReleaseID("net", &m, c.nodes)
	err := c.apply(c.plan(models{"net": m}))
	mentions(t, err, "nothing was changed", "a: weight ", "may have 2.0 MiB at most")
	if left := c.tree("a"); len(left) > 0 {
		t.Errorf("%q was written", left)
	}
}
