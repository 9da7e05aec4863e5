package deployer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever an argument holds, it arrives as it is.
func TestArgumentsAreQuoted(t *testing.T) {
	c := newCluster(t, "a")
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	for _, hostile := range hostileTexts() {
		out, err := d.run(context.Background(), "printf", "%s", hostile)
		if err != nil || out != hostile {
			t.Errorf("%q arrived as %q, error %v", hostile, out, err)
		}
	}
	if _, err := d.run(context.Background(), "echo", "a\x00b"); err == nil {
		t.Error("a zero byte was sent")
	}
}

func hostileTexts() []string {
	return []string{"", " ", "a b", "it's", `"quoted"`, "$(touch owned)", "`touch owned`", "; touch owned", "a\nb", "a\\nb", "&& false",
		"..", "-rf", "*", "~", "größe", "日本", "'; touch owned; '", "'\"'\"'", "!!", "\t", "#", "a\\'b"}
}

func TestCommandErrors(t *testing.T) {
	c := newCluster(t, "a")
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	_, err := d.run(context.Background(), "sh", "-c", "echo one >&2; echo two >&2; exit 3")
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Status != 3 || failed.Stderr != "one\ntwo" {
		t.Errorf("error %#v", err)
	}
	// $PPID is the shell that the server started, which so ends by a signal.
	if _, err = d.run(context.Background(), "sh", "-c", "kill -KILL $PPID"); !errors.As(err, &failed) || failed.Signal != "KILL" {
		t.Errorf("error %v", err)
	}
	if _, err = d.run(context.Background(), "yes"); err == nil || !strings.Contains(err.Error(), "printed more than") {
		t.Errorf("endless output: error %v", err)
	}
	if _, err = d.runFor(context.Background(), 50*time.Millisecond, "sleep", "20"); err == nil || !strings.Contains(err.Error(), "longer than 50ms") {
		t.Errorf("error %v", err)
	}
	noise, err := d.run(context.Background(), "sh", "-c", "yes | head -c 1000000 >&2; echo done")
	if err != nil || noise != "done\n" {
		t.Errorf("much on standard error: %q, %v", noise, err)
	}
}

func TestProxyTellsWhyItEnded(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	conn, err := DialWorker(context.Background(), c.state(), "net", "a", c.options)
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what was sent did not come back: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(c.deployment("a", "net"), "current", "running")); err != nil {
		t.Fatal(err)
	}
	conn, err = DialWorker(context.Background(), c.state(), "net", "a", c.options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(got); err == nil || !strings.Contains(err.Error(), "no worker answers") {
		t.Errorf("error %v", err)
	}
	if _, err := DialWorker(context.Background(), c.state(), "net", "b", c.options); err == nil {
		t.Error("connected to a node that is not in the state")
	}
}
