package deployer

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// These are ratios within one run: each round does both things, one after the
// other, and the median over the rounds is reported. See docs/deploy-speed.md.

const uploadBytes = 200_000_000

// lines are those that uploads are measured on.
var lines = []struct {
	name  string
	rate  float64 // bytes per second; 0 is the loopback interface itself
	delay time.Duration
}{
	{"unshaped", 0, 0},
	{"100Mbit-40ms", 100e6 / 8, 20 * time.Millisecond},
}

// BenchmarkUpload compares an upload, from dialling to hashed files in their
// places, with scp, from its start to its end, and with a bare TCP connection. The
// worker program is on the device, as it is but for the first time.
func BenchmarkUpload(b *testing.B) {
	built := buildWorker(b) // before HOME changes, where the cache of builds is
	for _, line := range lines {
		for _, files := range []int{1, 40} {
			b.Run(fmt.Sprintf("%s/files=%d", line.name, files), func(b *testing.B) {
				c := benchCluster(b)
				c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
				if line.rate > 0 {
					c.through("a", line.rate, line.delay)
				}
				c.options.Progress = func(Event) {}
				blobs := c.split(uploadBytes, files)
				program := c.blobs.add(worker.ProgramFile, built)
				source := c.onDisk(blobs)
				var overSCP, overTCP []float64
				for b.Loop() {
					raw := rawTCP(b, line.rate, line.delay)
					copied := c.scp("a", source)
					c.put("a", program)
					sent := c.timedUpload("a", source, program, blobs)
					overSCP = append(overSCP, copied.Seconds()/sent.Seconds())
					overTCP = append(overTCP, raw.Seconds()/sent.Seconds())
					b.Logf("raw TCP %s, scp %s, edgeplan %s", raw, copied, sent)
				}
				b.ReportMetric(median(overSCP), "x-scp")
				b.ReportMetric(median(overTCP), "x-raw-tcp")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func benchCluster(b *testing.B) *cluster {
	if os.Geteuid() != 0 {
		b.Skip("needs root, for real SSH servers as people have them")
	}
	for _, program := range []string{"/usr/sbin/sshd", "scp"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skip(program + " is missing: install openssh-server and openssh-client")
		}
	}
	return emptyCluster(b)
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// split makes so many blobs of so many bytes.
func (c *cluster) split(bytes, files int) []statefile.Blob {
	var list []statefile.Blob
	for i := range files {
		list = append(list, c.blobs.add("", noise(uint64(i), bytes/files)))
	}
	return list
}

// folder is a source of blobs that are files, as models are.
type folder struct {
	dir   string
	whole string // all of them as one file
}

func (f folder) Open(digest string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(f.dir, digest))
}

func (c *cluster) onDisk(blobs []statefile.Blob) folder {
	f := folder{dir: c.t.TempDir(), whole: filepath.Join(c.t.TempDir(), "whole")}
	whole, err := os.Create(f.whole)
	if err != nil {
		c.t.Fatal(err)
	}
	defer whole.Close()
	for _, blob := range blobs {
		if err := os.WriteFile(filepath.Join(f.dir, blob.Digest), c.blobs[blob.Digest], 0o600); err != nil {
			c.t.Fatal(err)
		}
		if _, err := whole.Write(c.blobs[blob.Digest]); err != nil {
			c.t.Fatal(err)
		}
	}
	return f
}

// scp copies all as one file, with the best cipher.
func (c *cluster) scp(node string, f folder) time.Duration {
	c.t.Helper()
	known := c.nodes[node].SSH
	hosts := filepath.Join(c.t.TempDir(), "known_hosts")
	line := fmt.Sprintf("[%s]:%d %s\n", known.Host, known.Port, known.HostKey)
	if err := os.WriteFile(hosts, []byte(line), 0o600); err != nil {
		c.t.Fatal(err)
	}
	target := filepath.Join(c.homes[node], "copied")
	command := exec.Command("scp", "-q", "-F", "none", "-c", "aes128-gcm@openssh.com", "-i", c.identity, "-P", fmt.Sprint(known.Port),
		"-o", "UserKnownHostsFile="+hosts, "-o", "BatchMode=yes", f.whole, known.User+"@"+known.Host+":"+target)
	begun := time.Now()
	if out, err := command.CombinedOutput(); err != nil {
		c.t.Fatalf("scp: %v\n%s", err, out)
	}
	took := time.Since(begun)
	if err := os.Remove(target); err != nil {
		c.t.Fatal(err)
	}
	return took
}

// put uploads one blob.
func (c *cluster) put(node string, blob statefile.Blob) {
	c.t.Helper()
	s := c.open(node)
	defer s.close()
	if err := s.upload(context.Background(), c.blobs, []statefile.Blob{blob}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) timedUpload(node string, source plan.BlobSource, program statefile.Blob, blobs []statefile.Blob) time.Duration {
	c.t.Helper()
	begun := time.Now()
	s := c.open(node)
	err := s.employHeld(context.Background(), []statefile.Blob{program}, blobs)
	if err == nil {
		err = s.upload(context.Background(), source, blobs)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	took := time.Since(begun)
	s.close()
	if err := os.RemoveAll(c.root(node)); err != nil {
		c.t.Fatal(err)
	}
	return took
}

// rawTCP sends the same bytes through the same line, and waits for one in return.
func rawTCP(b *testing.B, rate float64, delay time.Duration) time.Duration {
	b.Helper()
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	go func() {
		conn, err := sink.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.CopyN(io.Discard, conn, uploadBytes)
		_, _ = conn.Write([]byte{1})
	}()
	target := sink.Addr().String()
	if rate > 0 {
		r := &relay{target: target, rate: rate, delay: delay}
		at, stop, err := r.listen()
		if err != nil {
			b.Fatal(err)
		}
		defer stop()
		target = at.String()
	}
	begun := time.Now()
	conn, err := net.Dial("tcp", target)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	chunk := make([]byte, 1_000_000)
	for range uploadBytes / len(chunk) {
		if _, err := conn.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := io.ReadFull(conn, chunk[:1]); err != nil {
		b.Fatal(err)
	}
	return time.Since(begun)
}

// layered is a model of equal layers over two nodes, cut before a layer.
func (c *cluster) layered(layers []statefile.Blob, cut, port int) statefile.Model {
	m := c.model("net", fmt.Sprint(cut), port, "a", "b")
	for i, part := range [][]statefile.Blob{layers[:cut], layers[cut:]} {
		m.Slices[i].Graph = c.blobs.add(worker.GraphFile, noise(uint64(1000+2*cut+i), 20_000))
		m.Slices[i].Weights = part
	}
	m.Release = plan.ReleaseID("net", &m, c.nodes)
	return m
}

// BenchmarkMovedBoundary counts the bytes that moving a boundary by one layer sends.
func BenchmarkMovedBoundary(b *testing.B) {
	for b.Loop() {
		c := benchCluster(b)
		layers := c.split(100_000_000, 25)
		var relays []*relay
		for _, node := range []string{"a", "b"} {
			c.addSSHD(node, sshdtest.Options{}, ".edgeplan")
			relays = append(relays, c.through(node, 0, 0))
		}
		c.mustApply(models{"net": c.layered(layers, 12, 7433)})
		before := relays[0].sent.Load() + relays[1].sent.Load()
		c.mustApply(models{"net": c.layered(layers, 13, 7434)})
		sent := relays[0].sent.Load() + relays[1].sent.Load() - before
		if limit := layers[0].Size*105/100 + 64<<10; sent > limit {
			b.Errorf("%d bytes were sent, at most %d are allowed", sent, limit)
		}
		b.ReportMetric(float64(sent), "bytes")
		b.ReportMetric(float64(sent-layers[0].Size), "bytes-beside-the-layer")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkRefresh looks at two devices with 256 MB of weights in 50 files: quickly, and
// hashing every file.
func BenchmarkRefresh(b *testing.B) {
	c := benchCluster(b)
	for _, node := range []string{"a", "b"} {
		c.addSSHD(node, sshdtest.Options{}, ".edgeplan")
	}
	c.mustApply(models{"net": c.layered(c.split(256_000_000, 50), 25, 7433)})
	full := c.options
	full.HashAll = true
	var quick, thorough []float64
	for b.Loop() {
		for o, took := range map[*Options]*[]float64{&c.options: &quick, &full: &thorough} {
			begun := time.Now()
			seen, err := Refresh(context.Background(), c.state(), nil, *o)
			if err != nil || len(seen.Drift) > 0 {
				b.Fatal(seen.Drift, err)
			}
			*took = append(*took, time.Since(begun).Seconds())
		}
	}
	b.ReportMetric(median(quick), "s-quick")
	b.ReportMetric(median(thorough), "s-full")
	b.ReportMetric(0, "ns/op")
}

const manyDevices = 30

func (c *cluster) addMany() (names []string) {
	for i := range manyDevices {
		name := fmt.Sprintf("n%02d", i)
		c.addSSHD(name, sshdtest.Options{}, ".edgeplan")
		names = append(names, name)
	}
	return names
}

// BenchmarkReapply asks 30 devices what they have and finds that nothing is to be done.
func BenchmarkReapply(b *testing.B) {
	c := benchCluster(b)
	names := c.addMany()
	m := c.model("net", "1", 7433, names...)
	c.mustApply(models{"net": m})
	var took []float64
	for b.Loop() {
		begun := time.Now()
		seen, err := Refresh(context.Background(), c.state(), nil, c.options)
		if err != nil || len(seen.Drift) > 0 {
			b.Fatal(seen.Drift, err)
		}
		p := c.plan(models{"net": m})
		if list := plan.Uploads(p, p.Deployments, seen.Held); len(list) > 0 || len(p.Deployments) > 0 {
			b.Fatalf("%d uploads, %d deployments", len(list), len(p.Deployments))
		}
		if err := c.apply(p); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun).Seconds())
	}
	b.ReportMetric(median(took), "s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkManyDevices deploys to 30 devices behind lines of 8 Mbit/s each, and
// compares with the slowest of three of them alone. Each gets as much as a first
// deployment sends, worker and engine. Less would measure this machine, on which 30 SSH
// servers share the processor, and not the lines.
func BenchmarkManyDevices(b *testing.B) {
	const each, rate = 32_000_000, 8e6 / 8
	var ratios []float64
	for b.Loop() {
		var alone time.Duration
		for range 3 {
			alone = max(alone, deployShaped(b, 1, each, rate))
		}
		all := deployShaped(b, manyDevices, each, rate)
		b.Logf("slowest alone %s, all %s", alone, all)
		ratios = append(ratios, all.Seconds()/alone.Seconds())
	}
	b.ReportMetric(median(ratios), "x-slowest-alone")
	b.ReportMetric(0, "ns/op")
}

func deployShaped(b *testing.B, devices, each int, rate float64) time.Duration {
	c := benchCluster(b)
	names := c.addMany()[:devices]
	m := c.model("net", "1", 7433, names...)
	for i, node := range names {
		c.through(node, rate, 0)
		m.Slices[i].Weights = append(m.Slices[i].Weights, c.blobs.add("", noise(uint64(i), each)))
	}
	m.Release = plan.ReleaseID("net", &m, c.nodes)
	begun := time.Now()
	c.mustApply(models{"net": m})
	return time.Since(begun)
}
