package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/edgeplan/edgeplan/deployer"
)

// clock is a clock that tests set.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// upload plays ten seconds of an upload of 10 MiB, an event every 100 ms.
func upload(c *clock, show func(deployer.Event)) {
	const total = 10 << 20
	show(deployer.Event{Node: "node.a", Kind: "connect", Message: "connecting"})
	show(deployer.Event{Node: "node.a", Kind: "upload", Message: "uploading 1 file, 10.0 MiB", Total: total})
	for i := range int64(100) {
		c.Time = c.Add(100 * time.Millisecond)
		show(deployer.Event{Node: "node.a", Kind: "upload", Bytes: (i + 1) * total / 100, Total: total})
	}
}

// Without a terminal there is a line a step, and one every few seconds.
func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	at := &clock{time.Unix(1000, 0)}
	p := (&cli{stderr: &out}).newLines()
	p.now = at.now
	upload(at, p.show)
	want := `node.a: connecting
node.a: uploading 1 file, 10.0 MiB
node.a: uploaded 3 MiB of 10 MiB, 1 MiB/s, 7s left
node.a: uploaded 6 MiB of 10 MiB, 1 MiB/s, 4s left
node.a: uploaded 9 MiB of 10 MiB, 1 MiB/s, 1s left
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// With -json every line is an object, and the last tells that all has arrived.
func TestProgressJSON(t *testing.T) {
	var out bytes.Buffer
	at := &clock{time.Unix(1000, 0)}
	p := &jsonProgress{out: &out, sometimes: newSometimes()}
	p.now = at.now
	upload(at, p.show)
	var last eventDocument
	count := 0
	for line := range strings.Lines(out.String()) {
		last = eventDocument{}
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, last.Time); err != nil {
			t.Error(err)
		}
		count++
	}
	if last.Type != "progress" || last.Node != "node.a" || last.Bytes != 10<<20 || last.Total != 10<<20 || count > 7 {
		t.Errorf("%d lines, the last is %+v", count, last)
	}
}

// terminal is a pseudo terminal that keeps what is written to it.
type terminal struct {
	control, screen *os.File
	mu              sync.Mutex
	text            bytes.Buffer
	ended           chan struct{}
}

func newTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	control, screen, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	s := &terminal{control: control, screen: screen, ended: make(chan struct{})}
	s.resize(t, columns)
	go func() {
		defer close(s.ended)
		_, _ = io.Copy(s, control)
	}()
	return s
}

func (s *terminal) resize(t *testing.T, columns uint16) {
	t.Helper()
	if err := pty.Setsize(s.control, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		t.Fatal(err)
	}
}

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *terminal) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until something was drawn since a place in the text.
func (s *terminal) waitFor(t *testing.T, from int, pattern string) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got := regexp.MustCompile(pattern).FindString(s.shown()[from:]); got != "" {
			return got
		}
	}
	t.Fatalf("%s was not drawn; drawn was %q", pattern, s.shown()[from:])
	return ""
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// On a terminal each device has a bar with rate and time left, which fits the
// width, also after the window is made smaller, and leaves no trace at the end.
func TestProgressBars(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	s := newTerminal(t, 100)
	c := &cli{stderr: s.screen}
	bars, ok := c.newProgress().(*uploadBars)
	if !ok {
		t.Fatal("no bars on a terminal")
	}
	for _, node := range []string{"node.a", `node.pi["hall"]`} {
		bars.show(deployer.Event{Node: node, Kind: "upload", Message: "uploading 2 files", Total: 10 << 20})
	}
	time.Sleep(50 * time.Millisecond)
	bars.show(deployer.Event{Node: "node.a", Kind: "upload", Bytes: 4 << 20, Total: 10 << 20})
	s.waitFor(t, 0, `node\.a: uploading 2 files`)
	s.waitFor(t, 0, `node\.a +\[.*40%  [0-9.]+ [KMG]iB/s  [0-9a-z.]+ left`)
	s.waitFor(t, 0, `\x1b\[32m=`)

	s.resize(t, 40)
	from, drawn := 0, 41
	for end := time.Now().Add(30 * time.Second); drawn > 40 && time.Now().Before(end); { // some frames were under way
		from = len(s.shown())
		s.waitFor(t, from, `node\.a +\[[^\n]*40%`)
		drawn = widest(s.shown()[from:])
	}
	if drawn > 40 {
		t.Errorf("%d columns are drawn on 40: %q", drawn, s.shown()[from:])
	}
	bars.show(deployer.Event{Node: "node.a", Kind: "upload", Bytes: 10 << 20, Total: 10 << 20})
	bars.show(deployer.Event{Node: "node.a", Kind: "start", Message: "starting"})
	bars.end()
	fmt.Fprintln(s.screen, "after")
	s.waitFor(t, from, `node\.a: starting\r?\n`)
	s.waitFor(t, from, `after\r?\n$`)
	s.screen.Close()
	s.control.Close()
	<-s.ended
}

// widest is the number of columns of the longest line.
func widest(shown string) (columns int) {
	for _, line := range strings.Split(escapes.ReplaceAllString(shown, ""), "\n") {
		columns = max(columns, len([]rune(strings.TrimRight(line, "\r"))))
	}
	return columns
}

// NO_COLOR takes the colours, and TERM=dumb the bars.
func TestProgressBarsWithoutColour(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	s := newTerminal(t, 80)
	c := &cli{stderr: s.screen}
	bars := c.newProgress()
	bars.show(deployer.Event{Node: "node.a", Kind: "upload", Message: "uploading", Total: 100, Bytes: 50})
	s.waitFor(t, 0, `50%`)
	bars.end()
	if shown := s.shown(); regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(shown) {
		t.Errorf("colours in %q", shown)
	}
	t.Setenv("TERM", "dumb")
	if _, ok := c.newProgress().(*lineProgress); !ok {
		t.Error("bars on a dumb terminal")
	}
	s.screen.Close()
	s.control.Close()
}
