package main_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/servertest"
)

var (
	races    = flag.Int("races", 8, "how many pairs of applies race for the state; a quarter of them on each kind of server")
	raceSeed = flag.Uint64("race-seed", 1, "seed of who starts when, and what is answered")
)

// Two applies at once: exactly one has the lock, through its prompt and all it
// does, and the other says who holds it and since when.
func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		raceApplies(t, *races/2, nil)
	})
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		address := servertest.StartProtocol(t).URL + "/state"
		raceApplies(t, *races/4, []string{"http", "address = " + quote(address), "lock_address = " + quote(address)})
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		s := servertest.StartS3(t)
		raceApplies(t, *races/4, []string{"s3", "endpoint = " + quote(s.Endpoint), "bucket = " + quote(s.Bucket), `key = "state"`,
			`region = "us-east-1"`, "use_path_style = true"}, "AWS_ACCESS_KEY_ID="+s.AccessKey, "AWS_SECRET_ACCESS_KEY="+s.SecretKey)
	})
}

func quote(text string) string { return fmt.Sprintf("%q", text) }

// raceApplies lets pairs of applies race, with the state in a backend: its type and the
// lines of its block, and what is in the environment for it.
func raceApplies(t *testing.T, pairs int, backend []string, env ...string) {
	bed := newWorkbench(t, filepath.Join(program, "edgeplan"))
	bed.env = env
	if backend != nil {
		block := fmt.Sprintf("edgeplan {\n  backend %q {\n    %s\n  }\n}\n", backend[0], strings.Join(backend[1:], "\n    "))
		bed.write(t, "backend.edgeplan.hcl", []byte(block))
		bed.must(t, "init")
	}
	random := rand.New(rand.NewPCG(*raceSeed, uint64(len(backend))))
	serial, threads := uint64(0), 1
	for pair := range pairs {
		where := fmt.Sprintf("pair %d of seed %d", pair, *raceSeed)
		answer := []string{"yes", "no", "no", "no"}[random.IntN(4)]
		if pair == pairs-1 {
			answer = "yes" // so that each kind of backend has a state in the end
		}
		winner := bed.racePair(t, where, time.Duration(random.IntN(20))*time.Millisecond, random.IntN(2), threads, answer)
		now := serialOf(t, bed)
		if grew := now > serial; grew != (answer == "yes") {
			t.Fatalf("%s: answered %s, and the serial went from %d to %d\n%s", where, answer, serial, now, winner)
		}
		if serial = now; answer == "yes" {
			threads = 3 - threads // so that the next pair has something to do
		}
	}
	t.Logf("seed %d: %d races, 0 double writers, serial %d", *raceSeed, pairs, serial)
	bed.must(t, "destroy", "-auto-approve")
}

func serialOf(t *testing.T, bed *workbench) uint64 {
	t.Helper()
	var serial uint64
	out, err := bed.command(nil, "state", "pull").Output()
	if err != nil {
		t.Fatalf("state pull: %v", err)
	}
	if _, after, ok := strings.Cut(string(out), `"serial": `); ok {
		if _, err := fmt.Sscan(after, &serial); err != nil {
			t.Fatal(err)
		}
	}
	return serial
}

// contender is one of the two applies.
type contender struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	output  bytes.Buffer
}

// event is what a contender did: it asked for approval, or it ended.
type event struct {
	who   int
	asked bool
	err   error
}

// racePair starts two applies, checks that one asks and the other is told of it,
// and answers the one. It gives the output of the one.
func (b *workbench) racePair(t *testing.T, where string, apart time.Duration, first, threads int, answer string) string {
	t.Helper()
	events := make(chan event, 4)
	var both [2]*contender
	for i := range both {
		who := (first + i) % 2
		both[who] = b.startApply(t, who, threads, events)
		time.Sleep(apart)
	}
	winner := -1
	for ended := 0; ended < 2; {
		e := next(t, where, events)
		switch {
		case e.asked && winner >= 0:
			t.Fatalf("%s: both applies hold the lock:\n%s\n%s", where, &both[0].output, &both[1].output)
		case e.asked:
			winner = e.who
		case e.who == winner:
			checkWinner(t, where, e.err, answer, both[e.who])
			ended++
		default:
			checkLoser(t, where, e.err, both[e.who])
			ended++
		}
		if winner >= 0 && ended == 1 {
			_, _ = io.WriteString(both[winner].stdin, answer+"\n")
		}
	}
	if winner < 0 {
		t.Fatalf("%s: none of the applies asked:\n%s\n%s", where, &both[0].output, &both[1].output)
	}
	return both[winner].output.String()
}

func next(t *testing.T, where string, events chan event) event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: neither apply goes on", where)
		return event{}
	}
}

func (b *workbench) startApply(t *testing.T, who, threads int, events chan event) *contender {
	t.Helper()
	c := &contender{command: b.command(nil, "apply", "-no-color", "-var", fmt.Sprintf("threads=%d", threads))}
	stdin, err := c.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.command.Stdout, c.command.Stderr = writer, writer
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	t.Cleanup(func() { _ = c.command.Process.Kill() })
	go c.watch(who, reader, events)
	return c
}

// watch tells when the apply asks, and when it ends.
func (c *contender) watch(who int, output io.ReadCloser, events chan event) {
	defer output.Close()
	reader := bufio.NewReader(output)
	for asked := false; ; {
		b, err := reader.ReadByte()
		if err != nil {
			break
		}
		c.output.WriteByte(b)
		if !asked && b == ':' && bytes.HasSuffix(c.output.Bytes(), []byte("Enter a value:")) {
			asked = true
			events <- event{who: who, asked: true}
		}
	}
	events <- event{who: who, err: c.command.Wait()}
}

func checkWinner(t *testing.T, where string, err error, answer string, c *contender) {
	t.Helper()
	if (err == nil) != (answer == "yes") {
		t.Fatalf("%s: the one with the lock, answered %s: %v\n%s", where, answer, err, &c.output)
	}
}

func checkLoser(t *testing.T, where string, err error, c *contender) {
	t.Helper()
	said := c.output.String()
	if err == nil || !strings.Contains(said, "the state is locked: `edgeplan apply` of ") || !strings.Contains(said, " holds it since ") {
		t.Fatalf("%s: the one without the lock: %v\n%s", where, err, said)
	}
}
