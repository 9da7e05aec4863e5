package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

var watchBench = flag.Bool("watch-bench", false, "hold watch to its targets: a device powered off or cut off, and a link that flaps for five minutes")

const watchConfig = `
ssh {
  identity_file = "id"
  known_hosts   = "known_hosts"
}
node "pi" {
  for_each = {
%s  }
  address      = each.value.host
  port         = each.value.port
  user         = each.value.user
  architecture = %q
  memory       = "256MiB"
  compute      = "1GFLOPS"
}
network "lan" {
  nodes     = values(node.pi)
  bandwidth = "1Gbps"
}
model "m" {
  source  = "m.onnx"
  gateway = node.pi["hall"]
  threads = 1
  client {
    http_port = %d
  }
}
`

// watchBed is a pipeline on real SSH servers with real workers, under load.
type watchBed struct {
	*workbench
	servers map[string]*sshdtest.Server
	load    *httpLoad
	watch   *exec.Cmd
	out     bytes.Buffer
}

func newWatchBed(t *testing.T) *watchBed {
	t.Helper()
	enginetest.Library(t)
	b := &watchBed{workbench: &workbench{dir: t.TempDir(), program: filepath.Join(program, "edgeplan")}, servers: map[string]*sshdtest.Server{}}
	key := newKey(t)
	b.write(t, "id", key.private)
	var knownHosts, nodes strings.Builder
	for _, name := range []string{"gate", "hall", "roof"} {
		home := filepath.Join(b.dir, "homes", name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		s := sshdtest.Start(t, sshdtest.Options{IP: nextAddress(), Home: home, AuthorizedKey: key.public})
		b.servers[name] = s
		fmt.Fprintf(&knownHosts, "[%s]:%d %s\n", s.Host, s.Port, s.HostKeyLine)
		fmt.Fprintf(&nodes, "    %s = { host = %q, port = %d, user = %q }\n", name, s.Host, s.Port, s.User)
	}
	b.write(t, "known_hosts", []byte(knownHosts.String()))
	port := freeTCPPort(t)
	b.write(t, "main.edgeplan.hcl", fmt.Appendf(nil, watchConfig, nodes.String(), "linux/"+runtime.GOARCH, port))
	model, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteFile(filepath.Join(b.dir, "m.onnx")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopWorkers(filepath.Join(b.dir, "homes")) })
	b.must(t, "init")
	b.must(t, "apply", "-auto-approve")
	pause := 20 * time.Millisecond
	if *watchBench {
		pause = 200 * time.Millisecond // for minutes on end
	}
	b.load = startLoad(t, pause, fmt.Sprintf("http://127.0.0.1:%d/v2/models/m/infer", port))
	return b
}

func freeTCPPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts watch.
func (b *watchBed) start(t *testing.T, args ...string) {
	t.Helper()
	b.watch = b.command(nil, append([]string{"watch", "-auto-approve", "-log", "events"}, args...)...)
	b.watch.Stdout, b.watch.Stderr = &b.out, &b.out
	if err := b.watch.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.watch.Process.Kill()
		_ = b.watch.Wait()
		if t.Failed() {
			t.Logf("watch said:\n%s", b.out.String())
		}
	})
}

// end ends watch as systemd does.
func (b *watchBed) end(t *testing.T) {
	t.Helper()
	if err := b.watch.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := b.watch.Wait(); err != nil {
		t.Errorf("watch ended with %v", err)
	}
}

// watchEvent is a line of the log, as docs/watch.md describes it.
type watchEvent struct {
	Time        time.Time `json:"time"`
	Event       string    `json:"event"`
	Node        string    `json:"node"`
	Message     string    `json:"message"`
	Excluded    []string  `json:"excluded"`
	UploadBytes int64     `json:"upload_bytes"`
	Seconds     float64   `json:"seconds"`
}

func (b *watchBed) events(t *testing.T) []watchEvent {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.dir, "events"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var list []watchEvent
	for line := range strings.Lines(string(content)) {
		var e watchEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// await waits for an event.
func (b *watchBed) await(t *testing.T, limit time.Duration, event, part string) watchEvent {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, e := range b.events(t) {
			if e.Event == event && strings.Contains(e.Message, part) {
				return e
			}
		}
	}
	t.Fatalf("no event %s with %q within %s: %+v", event, part, limit, b.events(t))
	return watchEvent{}
}

// awaitApplied waits while a plan is being carried out.
func (b *watchBed) awaitApplied(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		under := 0
		for _, e := range b.events(t) {
			switch e.Event {
			case "applying":
				under++
			case "applied", "failed":
				under = 0
			}
		}
		if under == 0 {
			return
		}
	}
	t.Fatal("a plan is being carried out for more than a minute")
}

// powerOff ends all that runs on a device, at once.
func (b *watchBed) powerOff(name string) {
	b.servers[name].Kill()
	b.signal(name, syscall.SIGKILL)
}

// freeze cuts a device off and keeps all that runs there.
func (b *watchBed) freeze(name string, frozen bool) {
	signal := syscall.SIGCONT
	if frozen {
		signal = syscall.SIGSTOP
	}
	b.servers[name].Freeze(frozen)
	b.signal(name, signal)
}

// signal goes to all processes that work in a device's home folder.
func (b *watchBed) signal(name string, signal syscall.Signal) {
	home := filepath.Join(b.dir, "homes", name)
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		at, err := os.Readlink(link)
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && (at == home || strings.HasPrefix(at, home+"/")) {
			_ = syscall.Kill(pid, signal)
		}
	}
}

// movedBytes is what a device lacks of one state that another did not put there.
func movedBytes(t *testing.T, from, to []byte) (moved int64) {
	t.Helper()
	before, err1 := statefile.Parse("before", from)
	after, err2 := statefile.Parse("after", to)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	old, next := before.Models["m"], after.Models["m"]
	for _, node := range plan.ReleaseNodes(&next) {
		had := map[string]bool{}
		for _, blob := range plan.NodeBlobs(&old, node) {
			had[blob.Digest] = true
		}
		for _, blob := range plan.NodeBlobs(&next, node) {
			if !had[blob.Digest] {
				had[blob.Digest], moved = true, moved+blob.Size
			}
		}
	}
	return moved
}

// httpLoad sends the same request from some clients all the time.
type httpLoad struct {
	mu            sync.Mutex
	right         []time.Time
	wrong, failed int
}

func startLoad(t *testing.T, pause time.Duration, url string) *httpLoad {
	t.Helper()
	values := make([]string, 3*32*32)
	for i := range values {
		values[i] = strconv.FormatFloat(float64(i%17)/17, 'g', 4, 64)
	}
	body := fmt.Sprintf(`{"inputs":[{"name":"image","datatype":"FP32","shape":[1,3,32,32],"data":[%s]}]}`, strings.Join(values, ","))
	// A connection for each request: a new release takes the port over.
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var want []float64
	for deadline := time.Now().Add(20 * time.Second); want == nil; {
		answer, err := inferHTTP(client, url, body)
		if want = answer; err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	l := &httpLoad{}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				answer, err := inferHTTP(client, url, body)
				l.count(want, answer, err)
				time.Sleep(pause)
			}
		})
	}
	t.Cleanup(func() {
		close(done)
		clients.Wait()
	})
	return l
}

func inferHTTP(client *http.Client, url, body string) ([]float64, error) {
	response, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %w", response.Status, content, err)
	}
	var answer struct {
		Outputs []struct {
			Data []float64 `json:"data"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(content, &answer); err != nil || len(answer.Outputs) != 1 {
		return nil, fmt.Errorf("%s: %w", content, err)
	}
	return answer.Outputs[0].Data, nil
}

func (l *httpLoad) count(want, got []float64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.failed++
	case !alike(want, got):
		l.wrong++
	default:
		l.right = append(l.right, time.Now())
	}
}

// alike holds answers to the tolerance of docs: 1e-5 of the largest value.
func alike(want, got []float64) bool {
	if len(want) != len(got) {
		return false
	}
	var largest, worst float64
	for i := range want {
		largest, worst = max(largest, math.Abs(want[i])), max(worst, math.Abs(want[i]-got[i]))
	}
	return worst <= 1e-5*largest
}

// outage is the longest time without an answer from a moment on, and when it was over.
func (l *httpLoad) outage(from time.Time) (longest time.Duration, over time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := from
	for _, at := range l.right {
		if at.After(from) {
			if gap := at.Sub(last); gap > longest {
				longest, over = gap, at
			}
			last = at
		}
	}
	return longest, over
}

func (l *httpLoad) counts() (right, wrong, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.right), l.wrong, l.failed
}

// A device is lost under load: a plan without it serves, with the bytes of the layers that
// moved and no others; the device comes back, and is used again. No answer is wrong.
func TestWatchPowerOff(t *testing.T) {
	t.Run("powered off, and back with an empty disk", func(t *testing.T) {
		testLoss(t, func(b *watchBed) { b.powerOff("roof") }, func(b *watchBed) {
			if err := os.RemoveAll(filepath.Join(b.dir, "homes", "roof", ".edgeplan")); err != nil {
				t.Fatal(err)
			}
			b.servers["roof"].Restart(t)
		})
	})
	if !*watchBench {
		return
	}
	t.Run("cut off, and back with all that ran there", func(t *testing.T) {
		testLoss(t, func(b *watchBed) { b.freeze("roof", true) }, func(b *watchBed) { b.freeze("roof", false) })
	})
}

func testLoss(t *testing.T, lose, bringBack func(*watchBed)) {
	b := newWatchBed(t)
	grace, limit := 3*time.Second, 15*time.Second
	before := b.stateBytes(t)
	b.start(t, "-interval", "500ms", "-grace", grace.String(), "-settle", "3s", "-period", "2s")
	b.await(t, time.Minute, "start", "watching 3 devices")
	time.Sleep(2 * time.Second) // some looks and answers
	off := time.Now()
	lose(b)
	applied := b.await(t, 2*time.Minute, "applied", "without")
	b.awaitAnswers(t, applied.Time)
	longest, over := b.load.outage(off)
	t.Logf("serving again %.1f s after the loss (grace %s); the longest time without an answer was %.1f s; the apply took %.1f s",
		over.Sub(off).Seconds(), grace, longest.Seconds(), applied.Seconds)
	if *watchBench && over.Sub(off) > grace+limit {
		t.Errorf("that is more than the grace and %s", limit)
	}
	if want := movedBytes(t, before, b.stateBytes(t)); applied.UploadBytes != want {
		t.Errorf("%d bytes were sent, and what moved has %d", applied.UploadBytes, want)
	}
	t.Logf("%d bytes were sent, those of the moved layers", applied.UploadBytes)

	bringBack(b)
	back := b.await(t, 2*time.Minute, "applied", "again")
	b.awaitAnswers(t, back.Time)
	b.end(t)
	right, wrong, failed := b.load.counts()
	t.Logf("%d right answers, %d wrong, %d requests without one", right, wrong, failed)
	if wrong > 0 {
		t.Errorf("%d answers were wrong", wrong)
	}
	if out, err := b.run(nil, "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("afterwards: %v\n%s", err, out)
	}
}

// awaitAnswers waits for a right answer after a moment.
func (b *watchBed) awaitAnswers(t *testing.T, after time.Time) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		b.load.mu.Lock()
		n := len(b.load.right)
		answered := n > 0 && b.load.right[n-1].After(after)
		b.load.mu.Unlock()
		if answered {
			return
		}
	}
	t.Fatal("the pipeline does not answer")
}

// flapping is a link that goes down and comes back, and how watch is to take it.
type flapping struct {
	interval, grace, settle, period string
	down, up                        time.Duration
	times                           int
	rest                            time.Duration // for what is decided late
	most                            int           // changes
}

// Two breaks longer than the grace time: the device leaves with the first, and is not used between them.
var shortFlapping = []flapping{{"500ms", "3s", "1m", "2s", 4 * time.Second, 2 * time.Second, 2, 0, 1}}

// Up for 10 s and down for 10 s, for five minutes.
var longFlapping = []flapping{
	{"2s", "5s", "30s", "1m", 10 * time.Second, 10 * time.Second, 15, 90 * time.Second, 2},
	{"2s", "30s", "30s", "1m", 10 * time.Second, 10 * time.Second, 15, 90 * time.Second, 2},
}

// A link flaps under load: few plans are carried out, it answers afterwards, and no answer is wrong.
func TestWatchFlappingLink(t *testing.T) {
	flappings := shortFlapping
	if *watchBench {
		flappings = longFlapping
	}
	for _, f := range flappings {
		grace := f.grace
		t.Run("grace "+grace, func(t *testing.T) {
			b := newWatchBed(t)
			b.start(t, "-interval", f.interval, "-grace", grace, "-settle", f.settle, "-period", f.period)
			b.await(t, time.Minute, "start", "watching 3 devices")
			for range f.times {
				b.freeze("roof", true)
				time.Sleep(f.down)
				b.freeze("roof", false)
				time.Sleep(f.up)
			}
			time.Sleep(f.rest)
			b.await(t, time.Minute, "away", "")
			b.awaitApplied(t)
			b.awaitAnswers(t, time.Now())
			b.end(t)
			applied, failed := 0, 0
			for _, e := range b.events(t) {
				switch e.Event {
				case "applied":
					applied++
					t.Logf("%s %s (%d bytes, %.1f s)", e.Time.Format(time.TimeOnly), e.Message, e.UploadBytes, e.Seconds)
				case "failed":
					failed++
					t.Logf("%s %s", e.Time.Format(time.TimeOnly), e.Message)
				}
			}
			right, wrong, unanswered := b.load.counts()
			t.Logf("grace %s: %d plans carried out, %d failed; %d right answers, %d wrong, %d without", grace, applied, failed, right, wrong, unanswered)
			if applied > f.most || wrong > 0 {
				t.Errorf("%d plans were carried out, and at most %d should be; %d answers were wrong", applied, f.most, wrong)
			}
		})
	}
}
