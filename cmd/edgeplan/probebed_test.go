package main_test

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/cpushare"
	"github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/measurement"
)

// bedDevice makes the test program one device of a bed: it serves SSH in the namespace
// that it was started in, until its standard input ends.
const bedDevice = "EDGEPLAN_BED_DEVICE"

func serveBedDevice(listen, home string) error {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(home), "authorized"))
	if err != nil {
		return err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return err
	}
	d, err := device.Start(device.Options{Address: listen, Home: home, AuthorizedKey: key})
	if err != nil {
		return err
	}
	fmt.Println(d.HostKeyLine())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return d.Close()
}

// netBed are devices in network namespaces of this machine, joined by a bridge in one
// more. What a device sends is shaped, so a pair that is tested alone has that rate.
type netBed struct {
	t      testing.TB
	prefix string
	dir    string
	n      int
	shares map[int]string // groups that hold devices to a share of a core; none is no limit
	limits *cpushare.Limits
	// operator is in whose namespace edgeplan runs.
	operator int
}

// newNetBed makes devices that each send at a rate.
func newNetBed(t testing.TB, mbps ...int) *netBed {
	t.Helper()
	n := len(mbps)
	b := &netBed{t: t, prefix: fmt.Sprintf("epb%d", os.Getpid()%100000), dir: t.TempDir(), n: n, operator: n + 1, limits: &cpushare.Limits{}, shares: map[int]string{}}
	b.ip("netns add " + b.space(0))
	t.Cleanup(func() { b.remove() })
	b.ip("-n " + b.space(0) + " link add br0 type bridge forward_delay 0")
	b.ip("-n " + b.space(0) + " link set br0 up")
	for i := 1; i <= n+1; i++ { // the last one is the operator's
		b.join(i)
		if i <= n {
			b.shape(i, mbps[i-1])
		}
	}
	return b
}

// space is the namespace of a device; 0 is the bridge's.
func (b *netBed) space(i int) string { return fmt.Sprintf("%s-%d", b.prefix, i) }

func (b *netBed) address(i int) string { return fmt.Sprintf("10.231.0.%d", i) }

func (b *netBed) ip(args string) { b.run("ip", strings.Fields(args)...) }

func (b *netBed) run(name string, args ...string) {
	b.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (b *netBed) join(i int) {
	b.t.Helper()
	b.ip("netns add " + b.space(i))
	b.ip(fmt.Sprintf("-n %s link add p%d type veth peer name eth0 netns %s", b.space(0), i, b.space(i)))
	b.ip(fmt.Sprintf("-n %s link set p%d master br0 up", b.space(0), i))
	b.ip(fmt.Sprintf("-n %s addr add %s/24 dev eth0", b.space(i), b.address(i)))
	b.ip(fmt.Sprintf("-n %s link set lo up", b.space(i)))
	// A super-packet of 64 KB does not fit into what a slow class lets through at once.
	b.ip(fmt.Sprintf("-n %s link set eth0 up gso_max_segs 8 gso_max_size 12112", b.space(i)))
}

// shape bounds what a device sends. Short packets go first, as those of sparse flows do in the queue that Linux
// distributions set up (fq_codel, which not every kernel has): behind what a device sends, its
// acknowledgements would make what it receives slow as well.
func (b *netBed) shape(i, mbps int) {
	b.t.Helper()
	for _, line := range []string{
		"qdisc add dev eth0 root handle 1: htb default 20",
		fmt.Sprintf("class add dev eth0 parent 1: classid 1:1 htb rate %dmbit", mbps),
		fmt.Sprintf("class add dev eth0 parent 1:1 classid 1:10 htb rate %dkbit ceil %dmbit prio 0", 100*mbps, mbps),
		fmt.Sprintf("class add dev eth0 parent 1:1 classid 1:20 htb rate %dkbit ceil %dmbit prio 1", 900*mbps, mbps),
		"filter add dev eth0 parent 1: protocol ip prio 2 u32 match u16 0 0xff80 at 2 flowid 1:10", // of less than 128 bytes
	} {
		b.run("tc", strings.Fields(fmt.Sprintf("-n %s %s", b.space(i), line))...)
	}
}

func (b *netBed) remove() {
	for i := range b.n + 2 {
		_ = exec.Command("ip", "netns", "del", b.space(i)).Run()
	}
}

// start starts the devices and writes the operator's folder with the configuration.
func (b *netBed) start() (folder string) {
	b.t.Helper()
	folder, hostKeys := b.startDevices()
	var nodes strings.Builder
	for i, hostKey := range hostKeys {
		fmt.Fprintf(&nodes, "node \"n%02d\" {\n  address      = %q\n  port         = 2222\n  user         = \"pi\"\n  host_key     = %q\n"+
			"  architecture = %q\n  memory       = \"256MiB\"\n  compute      = \"1GFLOPS\"\n}\n", i+1, b.address(i+1), hostKey, "linux/"+runtime.GOARCH)
	}
	b.write("folder/main.edgeplan.hcl", []byte("ssh {\n  identity_file = \"id\"\n}\n"+nodes.String()))
	return folder
}

// startDevices starts the devices and makes the operator's folder, with the key to them.
func (b *netBed) startDevices() (folder string, hostKeys []string) {
	b.t.Helper()
	key := newKey(b.t)
	folder = filepath.Join(b.dir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		b.t.Fatal(err)
	}
	b.write("authorized", ssh.MarshalAuthorizedKey(key.public))
	b.write("folder/id", key.private)
	for i := 1; i <= b.n; i++ {
		hostKeys = append(hostKeys, b.startDevice(i))
	}
	return folder, hostKeys
}

func (b *netBed) write(name string, content []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *netBed) startDevice(i int) (hostKey string) {
	b.t.Helper()
	home := filepath.Join(b.dir, fmt.Sprintf("home%d", i))
	// Unlike ip, nsenter leaves the device its view of control groups.
	command := b.limits.Command(b.shares[i], "nsenter", "--net=/run/netns/"+b.space(i), os.Args[0])
	command.Env = append(os.Environ(), bedDevice+"="+b.address(i)+":2222 "+home)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { in.Close(); _ = command.Wait() })
	line := make([]byte, 1024)
	n, err := out.Read(line)
	if err != nil {
		b.t.Fatalf("device %d did not start: %v", i, err)
	}
	return strings.TrimSpace(string(line[:n]))
}

// edgeplan runs the program in the operator's namespace.
func (b *netBed) edgeplan(folder string, args ...string) string {
	b.t.Helper()
	command := exec.Command("ip", append([]string{"netns", "exec", b.space(b.operator), filepath.Join(program, "edgeplan"), "-chdir=" + folder}, args...)...)
	out, err := command.CombinedOutput()
	if err != nil {
		b.t.Fatalf("edgeplan %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// goodput is what TCP delivers of a rate on Ethernet: of 1514 bytes of a frame, as the
// kernel shapes them, 1448 are content.
const goodput = 1448.0 / 1514

// Shaped links are measured within 5 % of what they carry, and all pairs of 16 devices in
// less than a minute.
func BenchmarkProbeBed(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("network namespaces need root: run make bench-probe as root")
	}
	for _, c := range []struct{ devices, mbps int }{{4, 10}, {4, 50}, {4, 100}, {16, 50}} {
		b.Run(fmt.Sprintf("%d devices, %d Mbit/s", c.devices, c.mbps), func(b *testing.B) {
			for b.Loop() {
				probeBed(b, c.devices, c.mbps)
			}
		})
	}
}

// probeBed measures all pairs of a bed and reports the errors: of what TCP delivers of the
// rate, and of the rate with its headers.
func probeBed(b *testing.B, devices, mbps int) {
	b.Helper()
	bed := newNetBed(b, slices.Repeat([]int{mbps}, devices)...)
	folder := bed.start()
	initFolder(b, folder)
	bed.edgeplan(folder, "probe", "-only", "nodes") // brings the worker
	begun := time.Now()
	bed.edgeplan(folder, "probe", "-only", "links")
	took := time.Since(begun)
	rate := float64(mbps) * 1e6 / 8
	links := bedLinks(b, folder, devices)
	worst, mean := deviations(links, rate*goodput)
	worstOfRate, meanOfRate := deviations(links, rate)
	b.ReportMetric(float64(len(links)), "directions")
	b.ReportMetric(took.Seconds(), "probe-s")
	b.ReportMetric(100*mean, "%-goodput-mean")
	b.ReportMetric(100*worst, "%-goodput-worst")
	b.ReportMetric(100*meanOfRate, "%-rate-mean")
	b.ReportMetric(100*worstOfRate, "%-rate-worst")
	if worst > 0.05 {
		b.Errorf("the worst error is %.1f %%", 100*worst)
	}
	if devices == 16 && took > time.Minute {
		b.Errorf("all pairs of 16 devices took %v", took)
	}
}

func initFolder(t testing.TB, folder string) {
	t.Helper()
	command := exec.Command(filepath.Join(program, "edgeplan"), "-chdir="+folder, "init")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
}

func bedLinks(t testing.TB, folder string, devices int) []measurement.Link {
	t.Helper()
	m, err := measurement.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Links) != devices*(devices-1) {
		t.Fatalf("%d directions of %d devices were measured", len(m.Links), devices)
	}
	return m.Links
}

func deviations(links []measurement.Link, rate float64) (worst, mean float64) {
	for _, l := range links {
		e := math.Abs(l.BandwidthBytesPerSecond/rate - 1)
		worst, mean = max(worst, e), mean+e/float64(len(links))
	}
	return worst, mean
}
