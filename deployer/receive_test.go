package deployer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

const bigBytes = 16 << 20

// With the real worker program on the device it takes the big files, and what was cut off
// is continued.
func TestWorkerReceivesBigFiles(t *testing.T) {
	c := bareCluster(t)
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	line := c.through("a", 0, 0)
	program := c.blobs.add(worker.ProgramFile, buildWorker(t))
	blobs := append(c.mixed()[:3], c.blobs.add("", noise(1, bigBytes)), c.blobs.add("", noise(2, 2*bigBytes+5)))
	s := c.open("a")
	if err := s.upload(context.Background(), c.blobs, []statefile.Blob{program}); err != nil {
		t.Fatal(err)
	}
	if s.helperProgram() == "" {
		t.Fatal("the worker program is not employed")
	}
	line.cutAt.Store(line.sent.Load() + bigBytes)
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
	// Up to 4 MiB were under way when the line was cut.
	if sent, most := line.sent.Load()-before, totalBytes(blobs)-bigBytes+6<<20; sent > most {
		t.Errorf("%d bytes were sent again, want %d at most", sent, most)
	}
}

// A worker program that does not do what it should is no help, or is told of.
func TestWorkersThatReceiveBadly(t *testing.T) {
	sum := "case $1 in sum) shift; sha256sum \"$@\";; *) "
	for name, test := range map[string]struct{ program, want string }{
		"does not run":    {"#!/nonexistent\n", ""},
		"lies of itself":  {"#!/bin/sh\necho " + strings.Repeat("a", 64) + "  x\n", ""},
		"disk is full":    {"#!/bin/sh\n" + sum + "echo no space left on device >&2; exit 1;; esac\n", "no space left on device"},
		"lies of a file":  {"#!/bin/sh\n" + sum + "cat >/dev/null; echo " + strings.Repeat("a", 64) + "  \"$2\";; esac\n", "arrived damaged"},
		"prints anything": {"#!/bin/sh\n" + sum + "cat >/dev/null; echo thanks;; esac\n", "sha256sum printed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
			program := c.blobs.add(worker.ProgramFile, []byte(test.program))
			blobs := []statefile.Blob{c.blobs.add("", noise(1, bigBytes))}
			s := c.open("a")
			if err := s.upload(context.Background(), c.blobs, []statefile.Blob{program}); err != nil {
				t.Fatal(err)
			}
			err := s.upload(context.Background(), c.blobs, blobs)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				c.inPlace("a", append(blobs, program))
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A device that takes nothing more does not hold up the upload for ever.
func TestWorkerThatReceivesNothing(t *testing.T) {
	c := bareCluster(t)
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	program := c.blobs.add(worker.ProgramFile, []byte("#!/bin/sh\ncase $1 in sum) shift; sha256sum \"$@\";; *) sleep 60;; esac\n"))
	blobs := []statefile.Blob{c.blobs.add("", noise(1, bigBytes))}
	s := c.open("a")
	if err := s.upload(context.Background(), c.blobs, []statefile.Blob{program}); err != nil {
		t.Fatal(err)
	}
	s.o.AnswerTimeout = time.Second
	if err := s.upload(context.Background(), c.blobs, blobs); err == nil || !strings.Contains(err.Error(), "takes nothing more") {
		t.Errorf("got %v", err)
	}
}
