package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// served is an agent with the operator's end of its pipes.
type served struct {
	t       *testing.T
	in      *io.PipeWriter
	answers *bufio.Scanner
	ended   chan error
	root    string
}

func serve(t *testing.T, o Options) *served {
	t.Helper()
	if o.Root == "" {
		o.Root = t.TempDir()
	}
	inReader, inWriter := io.Pipe()
	outReader, outWriter := io.Pipe()
	s := &served{t: t, in: inWriter, answers: bufio.NewScanner(outReader), ended: make(chan error, 1), root: o.Root}
	go func() {
		s.ended <- Serve(context.Background(), inReader, outWriter, o)
		outWriter.Close()
	}()
	t.Cleanup(func() { inWriter.Close() })
	return s
}

func (s *served) ask(request probe.Request) probe.Response {
	s.t.Helper()
	if err := json.NewEncoder(s.in).Encode(request); err != nil {
		s.t.Fatal(err)
	}
	if !s.answers.Scan() {
		s.t.Fatalf("no answer: %v", s.answers.Err())
	}
	var answer probe.Response
	if err := json.Unmarshal(s.answers.Bytes(), &answer); err != nil {
		s.t.Fatal(err)
	}
	if answer.ID != request.ID {
		s.t.Fatalf("an answer to %d instead of %d", answer.ID, request.ID)
	}
	return answer
}

// await waits for the end of the agent.
func (s *served) await() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("the agent does not end")
		return nil
	}
}

// Two devices of this machine: the whole of a test of a link, through the agents.
func TestLinkBetweenAgents(t *testing.T) {
	a, b := serve(t, Options{}), serve(t, Options{})
	secret := probe.NewSecret()
	limits := probe.Limits{Bytes: 8 << 20, Floor: 0.05, Cap: 2, Goal: 0.2}
	listening := b.ask(probe.Request{ID: 1, Listen: &probe.ListenRequest{Host: "127.0.0.1", Port: 20000, Secret: secret, Limits: limits}})
	if listening.Error != "" || listening.Listen.Port < 20000 {
		t.Fatalf("%+v", listening)
	}
	address := net.JoinHostPort("127.0.0.1", itoa(listening.Listen.Port))
	link := a.ask(probe.Request{ID: 7, Send: &probe.SendRequest{Address: address, Secret: secret, Limits: limits}})
	if link.Error != "" || link.Link.Check() != nil || link.Link.RoundTripSeconds <= 0 {
		t.Fatalf("%+v %+v", link, link.Link)
	}
	again := a.ask(probe.Request{ID: 8, Send: &probe.SendRequest{Address: address, Secret: secret, Limits: limits}})
	if again.Error == "" {
		t.Error("a secret was good for two tests")
	}
	a.in.Close()
	if err := a.await(); err != nil {
		t.Errorf("the end of standard input ended it with %v", err)
	}
}

// A test to which nobody came gives its port back to the next.
func TestPortIsGivenBack(t *testing.T) {
	s := serve(t, Options{})
	var ports []int
	for id := range 3 {
		answer := s.ask(probe.Request{ID: id, Listen: &probe.ListenRequest{Host: "127.0.0.1", Port: 23000, Secret: probe.NewSecret()}})
		if answer.Error != "" {
			t.Fatal(answer.Error)
		}
		ports = append(ports, answer.Listen.Port)
	}
	if ports[1] != ports[0] || ports[2] != ports[0] {
		t.Errorf("ports %v", ports)
	}
}

// What is no request ends the agent, what it does not know is refused, and nobody's
// question ends it in time.
func TestAgentEnds(t *testing.T) {
	t.Run("garbage", func(t *testing.T) {
		s := serve(t, Options{})
		_, _ = io.WriteString(s.in, "GET / HTTP/1.1\n")
		if err := s.await(); err == nil || !strings.Contains(err.Error(), "no request") {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		s := serve(t, Options{})
		if answer := s.ask(probe.Request{ID: 3}); !strings.Contains(answer.Error, "nothing that this version") {
			t.Errorf("%+v", answer)
		}
	})
	t.Run("idle", func(t *testing.T) {
		s := serve(t, Options{Idle: 50 * time.Millisecond})
		if err := s.await(); !errors.Is(err, errIdle) {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("endless line", func(t *testing.T) {
		s := serve(t, Options{})
		go func() {
			for {
				if _, err := io.WriteString(s.in, strings.Repeat("x", 1<<16)); err != nil {
					return
				}
			}
		}()
		if err := s.await(); !errors.Is(err, bufio.ErrTooLong) {
			t.Errorf("it ended with %v", err)
		}
	})
}

// An agent that was killed leaves a folder, and the next removes it. Names of files
// never lead out of a folder.
func TestScratchFolders(t *testing.T) {
	root := t.TempDir()
	old := filepath.Join(root, ".probe-123")
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{Root: root, Program: "/bin/true"})
	s.ask(probe.Request{ID: 1, Clock: true})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what an earlier agent has left is still there: %v", err)
	}
	for _, file := range []probe.File{{Name: "../../etc/passwd", Digest: strings.Repeat("a", 64)}, {Name: "x", Digest: "../../../etc/passwd"}} {
		answer := s.ask(probe.Request{ID: 2, Range: &probe.RangeRequest{Files: []probe.File{file}}})
		if !strings.Contains(answer.Error, "no name of a file") {
			t.Errorf("%v: %+v", file, answer)
		}
	}
	s.in.Close()
	_ = s.await()
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A range that takes more memory than it may is ended, and one that hangs.
func TestGuard(t *testing.T) {
	eater := filepath.Join(t.TempDir(), "eater")
	script := "#!/bin/sh\nx=0123456789abcdef\nwhile :; do x=$x$x; done\n"
	if err := os.WriteFile(eater, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{Program: eater})
	answer := s.ask(probe.Request{ID: 1, Range: &probe.RangeRequest{MemoryBytes: 64 << 20, Cap: 1}})
	if !strings.Contains(answer.Error, ErrMemory.Error()) {
		t.Errorf("%+v", answer)
	}
}
