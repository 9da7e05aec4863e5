package deployer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// noise is content that cannot be compressed.
func noise(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	out := make([]byte, size)
	_, _ = rand.NewChaCha8(key).Read(out) // never fails
	return out
}

// text is content that can be compressed.
func text(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var out bytes.Buffer
	for out.Len() < size {
		fmt.Fprintf(&out, "%d ", random.IntN(1000))
	}
	return out.Bytes()[:size]
}

// open gives the site of a node, ready for uploads.
func (c *cluster) open(node string) *site {
	c.t.Helper()
	d := newDevice(node, c.nodes[node], c.options.withDefaults())
	c.t.Cleanup(d.close)
	s, err := siteOf(context.Background(), d, d.node.Path, c.lineage)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// inPlace checks that all blobs have their names and content, and nothing else is there.
func (c *cluster) inPlace(node string, blobs []statefile.Blob) {
	c.t.Helper()
	dir := filepath.Join(c.root(node), "blobs", "sha256")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(blobs) {
		c.t.Errorf("%d files in %s, want %d: %v", len(entries), dir, len(blobs), err)
	}
	for _, blob := range blobs {
		content, err := os.ReadFile(filepath.Join(dir, blob.Digest))
		if sum := sha256.Sum256(content); err != nil || hex.EncodeToString(sum[:]) != blob.Digest {
			c.t.Errorf("%s: wrong content, %v", blobName(blob), err)
			continue
		}
		info, err := os.Stat(filepath.Join(dir, blob.Digest))
		if err != nil || info.Mode().Perm() != modeOf(blob) {
			c.t.Errorf("%s: mode %v, want %v; %v", blobName(blob), info.Mode(), modeOf(blob), err)
		}
	}
}

// mixed are blobs of many sizes: around the limits of packs and of blocks.
func (c *cluster) mixed() []statefile.Blob {
	var list []statefile.Blob
	for i, size := range []int{0, 1, 511, 512, 513, packedBlob - 1, packedBlob, packedBlob + 1, packBytes - 1, packBytes + 1} {
		list = append(list, c.blobs.add("", noise(uint64(i), size)))
	}
	for i := range 150 {
		list = append(list, c.blobs.add("", fmt.Appendf(nil, "small %d", i)))
	}
	return append(list, c.blobs.add(worker.ProgramFile, fakeWorker(c.t)))
}

// addKind adds a device with an embedded server, or with OpenSSH's.
func (c *cluster) addKind(name, kind string) {
	c.t.Helper()
	if kind == "sshd" {
		c.addSSHD(name, sshdtest.Options{}, ".edgeplan")
		return
	}
	c.addDevice(name, embedded.Options{})
}

// Every kind of blob arrives on every kind of server, with few operations.
func TestUploadOfManySizes(t *testing.T) {
	for _, kind := range []string{"embedded", "sshd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addKind("a", kind)
			blobs := c.mixed()
			if err := c.open("a").upload(context.Background(), c.blobs, blobs); err != nil {
				t.Fatal(err)
			}
			c.inPlace("a", blobs)
		})
	}
}

// The bytes that progress tells of are those of the content, and end at the total.
func TestUploadProgressAddsUp(t *testing.T) {
	c := newCluster(t, "a")
	blobs := c.mixed()
	var last int64
	c.options.Progress = func(e Event) {
		if e.Bytes < last || e.Bytes > e.Total || e.Total != totalBytes(blobs) && e.Kind == "upload" {
			t.Errorf("%d of %d after %d", e.Bytes, e.Total, last)
		}
		last = max(last, e.Bytes)
	}
	if err := c.open("a").upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	if last != totalBytes(blobs) {
		t.Errorf("progress ends at %d of %d", last, totalBytes(blobs))
	}
}

// What the plan says is what goes over the line, to one percent where weights have the
// mean size of those of ResNet-50, 0.6 MB: each costs some two kilobytes beside its content.
func TestPlannedBytesAreSent(t *testing.T) {
	for _, kind := range []string{"embedded", "sshd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addKind("a", kind)
			line := c.through("a", 0, 0)
			m := c.model("net", "1", 7433, "a")
			for i := range 48 {
				m.Slices[0].Weights = append(m.Slices[0].Weights, c.blobs.add("", noise(uint64(i), 100_000+i*25_000)))
			}
			m.Release = plan.ReleaseID("net", &m, c.nodes)
			p := c.plan(models{"net": m})
			var planned int64
			for _, u := range plan.Uploads(p, p.Deployments, nil) {
				planned += u.Blob.Size
			}
			if err := c.apply(p); err != nil {
				t.Fatal(err)
			}
			if sent := line.sent.Load(); sent < planned || float64(sent) > 1.01*float64(planned) {
				t.Errorf("%d bytes were sent, %d planned", sent, planned)
			}
		})
	}
}

// A run that lost its line is continued: what is there and right is not sent
// again, and what is there and wrong is.
func TestUploadIsContinued(t *testing.T) {
	for _, damage := range []bool{false, true} {
		t.Run(fmt.Sprint("damaged ", damage), func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
			line := c.through("a", 0, 0)
			blobs := []statefile.Blob{c.blobs.add("", noise(1, 24<<20))}
			line.cutAt.Store(16 << 20)
			if err := c.open("a").upload(context.Background(), c.blobs, blobs); err == nil {
				t.Fatal("the line was cut and the upload says nothing")
			}
			part := c.onlyFile("a")
			if filepath.Base(part) == blobs[0].Digest {
				t.Fatal("a part file has the name of a blob")
			}
			if damage {
				damageAt(t, part, 5<<20)
			}
			line.cutAt.Store(0)
			before := line.sent.Load()
			if err := c.open("a").upload(context.Background(), c.blobs, blobs); err != nil {
				t.Fatal(err)
			}
			c.inPlace("a", blobs)
			// Of 16 MiB up to 4 were under way: in the relay, the sockets and sshd.
			want := int64(12 << 20)
			if damage {
				want = 19 << 20
			}
			if sent := line.sent.Load() - before; sent > want+64<<10 {
				t.Errorf("%d bytes were sent again, want %d at most", sent, want)
			}
		})
	}
}

// onlyFile waits until the server has let go of the one file of blobs.
func (c *cluster) onlyFile(node string) string {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(c.root(node), "blobs", "sha256", ".tmp-*"))
	if err != nil || len(files) != 1 {
		c.t.Fatalf("got %q, %v", files, err)
	}
	for last := int64(-1); ; time.Sleep(200 * time.Millisecond) {
		info, err := os.Stat(files[0])
		if err != nil {
			c.t.Fatal(err)
		}
		if info.Size() == last {
			return files[0]
		}
		last = info.Size()
	}
}

func damageAt(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), at); err != nil {
		t.Fatal(err)
	}
}

// On a slow line what can be compressed is, and what cannot is not.
func TestCompressedOnASlowLine(t *testing.T) {
	c := newCluster(t, "a")
	line := c.through("a", 2<<20, 0)
	blobs := []statefile.Blob{c.blobs.add("", text(4<<20)), c.blobs.add("", noise(1, 2<<20)), c.blobs.add("", noise(2, 128<<10))}
	if err := c.open("a").upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	c.inPlace("a", blobs)
	if sent := line.sent.Load(); sent > 5<<20 {
		t.Errorf("%d bytes were sent of %d, most of which can be compressed to half", sent, totalBytes(blobs))
	}
}

// A compressed part file is continued as well.
func TestCompressedUploadIsContinued(t *testing.T) {
	c := newCluster(t, "a")
	line := c.through("a", 4<<20, 0)
	blobs := []statefile.Blob{c.blobs.add("", text(16<<20)), c.blobs.add("", noise(2, 128<<10))}
	line.cutAt.Store(5 << 20)
	if err := c.open("a").upload(context.Background(), c.blobs, blobs); err == nil {
		t.Fatal("the line was cut and the upload says nothing")
	}
	if part := c.onlyFile("a"); !strings.HasSuffix(part, string(compressed)) {
		t.Fatalf("%s is not compressed", part)
	}
	line.cutAt.Store(0)
	before := line.sent.Load()
	if err := c.open("a").upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	c.inPlace("a", blobs)
	if sent := line.sent.Load() - before; sent > 5<<20 {
		t.Errorf("%d bytes were sent again", sent)
	}
}

// A device without tar and gzip gets every blob by itself.
func TestUploadWithoutTar(t *testing.T) {
	c := newCluster(t, "a")
	s := c.open("a")
	blobs := c.mixed()
	for _, p := range parcels(s, blobs, found{}) {
		if p.packed() {
			t.Errorf("%s is packed", p.title())
		}
	}
	f, garbage := parseFound("no tar\nno gzip\nunlimited\n", s.partPrefix(), blobs)
	if f.tar || f.gzip || len(garbage) > 0 {
		t.Errorf("got %+v, %q", f, garbage)
	}
}

// Small files travel in archives where the limit of a file allows it, and where the shell tells of none.
func TestArchivesWithinTheLimitOfAFile(t *testing.T) {
	blob := statefile.Blob{Digest: strings.Repeat("a", 64), Size: 9 << 20}
	for limit, want := range map[string]bool{"unlimited": true, "": true, fmt.Sprint(archiveBytes / 512): true, fmt.Sprint(archiveBytes/512 - 1): false, "0": false} {
		f, _ := parseFound(fmt.Sprintf("tar\ngzip\n%s\n%d .tmp-1-%s\n", limit, 3<<20, blob.Digest), ".tmp-1-", []statefile.Blob{blob})
		if f.tar != want || f.parts[blob.Digest][plain] != 3<<20 {
			t.Errorf("a limit of %q blocks: %+v", limit, f)
		}
	}
}

// Parts of what is wanted are continued; all else of this state goes.
func TestPartsThatAreFound(t *testing.T) {
	blob := statefile.Blob{Digest: strings.Repeat("a", 64), Size: 9 << 20}
	other := strings.Repeat("b", 64)
	const prefix = ".tmp-12345678-"
	out := strings.Join([]string{"tar", "gzip", "unlimited",
		fmt.Sprintf("%8d %s%s", 3<<20, prefix, blob.Digest),
		fmt.Sprintf("%d %s%s.gz", 2<<20, prefix, blob.Digest),
		fmt.Sprintf("%d %s%s", 3<<20, prefix, other), // not wanted
		"5 " + prefix + "0123456789abcdef",           // a pack
		"garbage",
	}, "\n") + "\n"
	f, garbage := parseFound(out, prefix, []statefile.Blob{blob})
	if got := f.parts[blob.Digest]; got[plain] != 3<<20 || got[compressed] != 2<<20 {
		t.Errorf("got %v", got)
	}
	if want := []string{prefix + other, prefix + "0123456789abcdef"}; fmt.Sprint(garbage) != fmt.Sprint(want) {
		t.Errorf("remove %q, want %q", garbage, want)
	}
}

// On a line that is known to be slow what can be compressed is, also the first file.
func TestCompressedOnAKnownLine(t *testing.T) {
	c := newCluster(t, "a")
	line := c.through("a", 0, 0)
	blobs := []statefile.Blob{c.blobs.add("", text(4<<20))}
	s := c.open("a")
	s.uplink = 2.5e6
	if err := s.upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	c.inPlace("a", blobs)
	if sent := line.sent.Load(); sent > 3<<20 {
		t.Errorf("%d bytes were sent of %d, which can be compressed to half", sent, totalBytes(blobs))
	}
}

// A line is as slow as its slowest part: the one that all devices share, or the device's own.
func TestLineIsAsSlowAsItsSlowestPart(t *testing.T) {
	fast, slow := 2.0*compressionRate, 0.5*compressionRate
	for _, test := range []struct {
		rate, uplink       float64
		isSlow, isMeasured bool
	}{
		{0, 0, false, false}, {fast, 0, false, true}, {slow, 0, true, true},
		{0, slow, true, true}, {fast, slow, true, true}, {slow, slow, true, true},
		{0, fast, false, false}, {fast, fast, false, true}, {slow, fast, true, true},
	} {
		s := &site{device: &device{}, rate: test.rate, uplink: test.uplink}
		if s.isSlow(1) != test.isSlow || s.isMeasured() != test.isMeasured {
			t.Errorf("rate %g, uplink %g: slow %t, measured %t", test.rate, test.uplink, s.isSlow(1), s.isMeasured())
		}
	}
}
