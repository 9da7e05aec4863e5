package deployer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// employed is a node with a worker program that takes files, or says that it does.
func (c *cluster) employed(node string, content []byte) (*site, statefile.Blob) {
	c.t.Helper()
	program := c.blobs.add(worker.ProgramFile, content)
	s := c.open(node)
	if err := s.upload(context.Background(), c.blobs, []statefile.Blob{program}); err != nil {
		c.t.Fatal(err)
	}
	return s, program
}

func (c *cluster) employedReal(node string) (*site, statefile.Blob) {
	c.t.Helper()
	s, program := c.employed(node, buildWorker(c.t))
	if s.helperProgram() == "" {
		c.t.Fatal("the worker program is not employed")
	}
	return s, program
}

// The worker program takes files of all sizes in sessions of which there are few, and no shell
// is started for any.
func TestWorkerReceives(t *testing.T) {
	for _, kind := range []string{"embedded", "sshd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addKind("a", kind)
			s, program := c.employedReal("a")
			blobs := append(c.mixed(), c.blobs.add("libonnxruntime.so.1", noise(99, 5<<20)))
			count := func() map[string]int { return nil }
			if kind == "embedded" {
				count = c.operations("a")
			}
			if err := s.upload(context.Background(), c.blobs, blobs); err != nil {
				t.Fatal(err)
			}
			c.inPlace("a", append(blobs, program))
			if n := count(); n["exec"] > 1+receiveAtOnce || n["write"] > 0 {
				t.Errorf("%d commands were run, %d writes over SFTP", n["exec"], n["write"])
			}
		})
	}
}

// What was cut off is continued.
func TestWorkerReceivesTheRest(t *testing.T) {
	const big = 16 << 20
	c := bareCluster(t)
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	line := c.through("a", 0, 0)
	s, program := c.employedReal("a")
	blobs := append(c.mixed()[:3], c.blobs.add("", noise(1, big)), c.blobs.add("", noise(2, 2*big+5)))
	line.cutAt.Store(line.sent.Load() + big)
	if err := s.upload(context.Background(), c.blobs, blobs); err == nil {
		t.Fatal("the line was cut and the upload says nothing")
	}
	line.cutAt.Store(0)
	s, before := c.open("a"), line.sent.Load()
	if err := s.employHeld(context.Background(), []statefile.Blob{program}, blobs); err != nil {
		t.Fatal(err)
	}
	if err := s.upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	c.inPlace("a", append(blobs, program))
	// Up to 6 MiB were under way when the line was cut.
	if sent, most := line.sent.Load()-before, totalBytes(blobs)-big+8<<20; sent > most {
		t.Errorf("%d bytes were sent again, want %d at most", sent, most)
	}
}

// Every operation on the device fails once, in several ways, and the line is cut at some
// moments. Nothing half done has the name of a blob then, and the next upload brings the rest.
func TestReceivingMayFail(t *testing.T) {
	ways := map[string]embedded.Action{"fail": embedded.Fail, "drop after": embedded.DropAfter}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addDevice("a", embedded.Options{})
			_, program := c.employedReal("a")
			for n := 1; ; n++ {
				l := &faultLoop{cluster: c, node: "a", way: way}
				met := l.fault(n)
				failed := c.receiveOnce(program, c.someBlobs(n))
				c.devices["a"].SetFault(nil)
				c.receiveAgain(program, c.someBlobs(n), failed)
				if met() == "" {
					t.Logf("%d operations", n-1)
					return
				}
			}
		})
	}
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		c := bareCluster(t)
		c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
		line := c.through("a", 0, 0)
		_, program := c.employedReal("a")
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for n := range 8 {
			line.cutAt.Store(line.sent.Load() + random.Int64N(5<<20))
			failed := c.receiveOnce(program, c.someBlobs(n))
			line.cutAt.Store(0)
			c.receiveAgain(program, c.someBlobs(n), failed)
		}
	})
}

// someBlobs are some that travel together and some that travel alone.
func (c *cluster) someBlobs(n int) []statefile.Blob {
	var list []statefile.Blob
	for i, size := range []int{1, 70_000, packedBlob + 1, 3 << 20} {
		list = append(list, c.blobs.add("", append(noise(uint64(i), size), fmt.Sprint(n)...)))
	}
	return list
}

// receiveOnce uploads blobs by a device's worker program, as an apply does.
func (c *cluster) receiveOnce(program statefile.Blob, blobs []statefile.Blob) error {
	ctx := context.Background()
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	s, err := siteOf(ctx, d, d.node.Path, c.lineage)
	if err != nil {
		return err
	}
	s.employ(ctx, program)
	missing, err := s.missing(ctx, blobs)
	if err != nil {
		return err
	}
	return s.upload(ctx, c.blobs, missing)
}

// receiveAgain checks what a failure left, and that the next upload is whole.
func (c *cluster) receiveAgain(program statefile.Blob, blobs []statefile.Blob, failed error) {
	c.t.Helper()
	dir := filepath.Join(c.root("a"), "blobs", "sha256")
	for _, blob := range blobs {
		content, err := os.ReadFile(filepath.Join(dir, blob.Digest))
		if !os.IsNotExist(err) && !bytes.Equal(content, c.blobs[blob.Digest]) {
			c.t.Fatalf("%s has %d bytes, not its %d; %v", blobName(blob), len(content), blob.Size, err)
		}
	}
	if err := c.receiveOnce(program, blobs); err != nil {
		c.t.Fatalf("the next upload: %v\nthe first said: %v", err, failed)
	}
	c.inPlace("a", append(blobs, program))
	for _, blob := range blobs {
		if err := os.Remove(filepath.Join(dir, blob.Digest)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// A worker program that does not do what it should is no help, or is told of.
func TestWorkersThatReceiveBadly(t *testing.T) {
	lie := strings.Repeat("a", 64)
	takes := "read -r offset size mode name; head -c \"$size\" >\"$2/$name\"; "
	for name, test := range map[string]struct {
		receive, want string
		silent        bool
	}{
		"is older":                {"echo 'receive takes a file and an offset' >&2; exit 2", "", false},
		"greets otherwise":        {"echo hello; cat >/dev/null", "", false},
		"greets without end":      {"yes | tr -d '\\n'", "", false},
		"does not greet":          {"exec sleep 60", "", true},
		"ends at once":            {"greet", "", false},
		"ends after a file":       {"greet; " + takes + "exit 0", "", false},
		"is killed":               {"greet; " + takes + "kill -9 $$", "", false},
		"crashes":                 {"greet; " + takes + "echo 'fatal error: runtime: out of memory' >&2; exit 2", "", false},
		"finds a file held":       {"greet; read -r offset size mode name; echo \"$name: " + worker.ErrIncomingHeld.Error() + "\" >&2; exit 1", "", false},
		"disk is full":            {"greet; echo no space left on device >&2; exit 1", "no space left on device", false},
		"fails without end":       {"greet; yes >&2", "takes nothing more", true},
		"takes nothing":           {"greet; exec sleep 60", "takes nothing more", true},
		"does not answer":         {"greet; " + takes + "exec sleep 60", "does not answer", true},
		"answers before it reads": {"greet; read -r offset size mode name; echo \"${name##*-}  $name\"; exec sleep 60", "takes nothing more", true},
		"flushes for long":        {"umask 077; greet; while " + takes + "do for i in 1 2 3 4 5; do echo " + worker.ReceiveFlushing + "; sleep 0.7; done; (cd \"$2\" && sha256sum \"$name\"); done", "", true},
		"flushes without end":     {"greet; " + takes + "while echo " + worker.ReceiveFlushing + "; do sleep 0.2; done", "does not answer", true},
		"lies of a file":          {"greet; " + takes + "echo \"" + lie + "  $name\"; cat >/dev/null", "arrived damaged", false},
		"tells of another file":   {"greet; " + takes + "echo '" + lie + "  x'; cat >/dev/null", "was not sent", false},
		"prints anything":         {"greet; cat >/dev/null & echo thanks; wait", "should be a sha256 digest", false},
		"prints without end":      {"greet; yes", "should be a sha256 digest", false},
		"prints one endless line": {"greet; yes | tr -d '\\n'", "token too long", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
			s, program := c.employed("a", []byte("#!/bin/sh\ngreet() { echo '"+worker.ReceiveGreeting+"'; }\n"+
				"case $1 in sum) shift; sha256sum \"$@\";; *) "+test.receive+";; esac\n"))
			if test.silent {
				s.o.receiveSilence, s.o.flushLimit = 2*time.Second, 8*time.Second
			}
			if name == "does not greet" {
				s.o.AnswerTimeout = 12 * time.Second
			}
			blobs := []statefile.Blob{c.blobs.add("", noise(1, 3<<20)), c.blobs.add("", noise(2, 3<<20))}
			if test.want == "" { // also what travels together
				blobs = append(blobs, c.blobs.add("", noise(3, 70_000)), c.blobs.add("", noise(4, 80_000)))
			}
			var told Event
			s.o.Progress = func(e Event) {
				if e.Kind == "upload" && e.Total > 0 && e.Bytes < told.Bytes {
					t.Errorf("after %d bytes it tells of %d", told.Bytes, e.Bytes)
				}
				if e.Bytes > 0 {
					told = e
				}
			}
			err := s.upload(context.Background(), c.blobs, blobs)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				c.inPlace("a", append(blobs, program))
				if told.Bytes != told.Total || told.Total != totalBytes(blobs) {
					t.Errorf("the last that was told is %d of %d bytes", told.Bytes, told.Total)
				}
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v, want %q", err, test.want)
			case strings.Count(err.Error(), test.want) > len(blobs):
				t.Errorf("it is told more than once a file: %v", err)
			}
		})
	}
}

// What a receiver of an old run still writes is left to that one: it cannot damage what goes on.
func TestPartThatIsHeld(t *testing.T) {
	c := bareCluster(t)
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	s, program := c.employedReal("a")
	content := noise(1, 5<<20)
	blobs := []statefile.Blob{c.blobs.add("", content), c.blobs.add("", noise(2, 3<<20))}
	part, err := os.Create(filepath.Join(c.root("a"), "blobs", "sha256", s.partName(blobs[0].Digest)))
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if _, err := part.Write(content[:3<<20]); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(part.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var warned []string
	s.o.Progress = func(e Event) {
		if e.Kind == "warning" {
			warned = append(warned, e.Message)
		}
	}
	if err := s.upload(context.Background(), c.blobs, blobs); err != nil {
		t.Fatal(err)
	}
	if err := part.Truncate(0); err != nil {
		t.Fatal(err)
	}
	c.inPlace("a", append(blobs, program))
	if len(warned) != 1 || !strings.Contains(warned[0], "is sent anew") {
		t.Errorf("warned %q", warned)
	}
}

// A program that was refused is not tried again in an upload; another one is.
func TestRefusedPrograms(t *testing.T) {
	r := newReceivers()
	if !r.refuse("old") || r.refuse("old") {
		t.Error("a program is refused once")
	}
	for program, want := range map[string]bool{"old": false, "new": true} {
		if _, more := r.pop(program); more != want {
			t.Errorf("%s: can be opened: %v, want %v", program, more, want)
		}
	}
}

// A session that waits for its first file, or for the next one, is not taken for silent.
func TestReceiverMayWait(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	s, _ := c.employedReal("a")
	l, err := s.connected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := openReceiver(t.Context(), l, s.o, s.helperProgram(), s.blobs())
	if err != nil {
		t.Fatal(err)
	}
	waits := func(when string) {
		t.Helper()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.silence.Stop() || r.ended != nil {
			t.Errorf("%s its silence is measured, or it has ended: %v", when, r.ended)
		}
	}
	waits("before the first file")
	from := &sizedReader{Reader: strings.NewReader("content"), ctx: t.Context(), size: 7, moved: func(int) {}}
	sent, err := r.send(t.Context(), worker.Incoming{Name: ".tmp-a", Size: 7}, from)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.digest(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	waits("after a file")
}

// A program that is none, or that lies of itself, is not employed.
func TestProgramsThatAreNotEmployed(t *testing.T) {
	for name, program := range map[string]string{
		"does not run":   "#!/nonexistent\n",
		"lies of itself": "#!/bin/sh\necho " + strings.Repeat("a", 64) + "  x\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := bareCluster(t)
			c.addDevice("a", embedded.Options{})
			if s, _ := c.employed("a", []byte(program)); s.helperProgram() != "" {
				t.Error("it is employed")
			}
		})
	}
}

// An upload that is interrupted while the device takes nothing ends soon.
func TestReceivingIsInterrupted(t *testing.T) {
	c := bareCluster(t)
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	s, _ := c.employed("a", []byte("#!/bin/sh\ncase $1 in sum) shift; sha256sum \"$@\";; *) echo '"+worker.ReceiveGreeting+"'; exec sleep 60;; esac\n"))
	ctx, cancel := context.WithCancel(context.Background())
	s.o.Progress = func(e Event) {
		if e.Bytes > 0 {
			cancel()
		}
	}
	err := s.upload(ctx, c.blobs, []statefile.Blob{c.blobs.add("", noise(1, 8<<20))})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "takes nothing") {
		t.Errorf("got %v", err)
	}
}

// resized is a source whose files have other sizes than the plan says.
type resized struct {
	memory
	by int
}

func (r resized) Open(digest string) (io.ReadCloser, error) {
	content := append(bytes.Clone(r.memory[digest]), "more"...)
	return io.NopCloser(bytes.NewReader(content[:len(content)-4+r.by])), nil
}

// A file that changed here since the plan was made is named, and no other.
func TestFilesThatChangeBeforeTheyAreReceived(t *testing.T) {
	for _, by := range []int{-1, 1} {
		c := bareCluster(t)
		c.addDevice("a", embedded.Options{})
		s, _ := c.employedReal("a")
		blobs := []statefile.Blob{c.blobs.add("", noise(1, 3<<20))}
		err := s.upload(context.Background(), resized{c.blobs, by}, blobs)
		want := fmt.Sprintf("upload: %s: the file on this machine has %d bytes, not %d", blobName(blobs[0]), 3<<20+by, 3<<20)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
