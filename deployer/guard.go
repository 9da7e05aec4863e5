package deployer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/worker"
)

// Where memory holds one release only, the old one has stopped before the new one
// answers. A guard on each device starts it again when this run is no more.

// guard is a session in which a device waits for word of this run (worker.Guard).
type guard struct {
	session *ssh.Session
	said    chan string // closed when the session ends

	mu    sync.Mutex // of what is written
	stdin io.WriteCloser
	ended bool
}

// guardEvery is how often a guard hears of this run.
const guardEvery = worker.GuardSilence / 6

// errNotGuarded is that a device has started the old release again by now, or may have.
var errNotGuarded = errors.New("the device does not wait for this run any more")

// errGuardSilent is that a guard may be there and has not said so. It would stop the new
// release once it is.
var errGuardSilent = errors.New("the device did not say that it waits for this run")

// setGuards has every device of the old release wait for this run.
func (t *transition) setGuards(ctx context.Context) error {
	var mu sync.Mutex
	return eachOrNone(ctx, t.present(plan.ReleaseNodes(t.From)), t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		g, err := s.setGuard(ctx, s.release(t.folder, t.From.Release))
		if err != nil {
			return s.failed(fmt.Errorf("cannot guard the release that is about to stop: %w", err))
		}
		mu.Lock()
		defer mu.Unlock()
		if g != nil {
			t.guards[node] = g
		}
		return nil
	})
}

// setGuard starts one. An earlier release's worker may know of no guards: nil, with
// a warning.
func (s *site) setGuard(ctx context.Context, dir string) (*guard, error) {
	l, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	g := &guard{said: make(chan string, 1)}
	g.session, err = l.openSession(ctx, s.o.AnswerTimeout, func(session *ssh.Session) error {
		out, err := session.StdoutPipe()
		if err == nil {
			g.stdin, err = session.StdinPipe()
		}
		if err == nil {
			err = session.Start(l.command([]string{path.Join(dir, worker.ProgramFile), "guard", dir}))
		}
		if err == nil {
			go g.listen(out)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = g.hear(ctx, s.o.AnswerTimeout)
	if errors.Is(err, errNotGuarded) {
		err = g.ending(s.o.AnswerTimeout)
	}
	if err != nil {
		g.session.Close()
		if lost := l.lost(); lost != nil || ctx.Err() != nil {
			return nil, errors.Join(lost, context.Cause(ctx))
		}
		if !errors.Is(err, errNotGuarded) {
			return nil, err
		}
		s.emit("warning", "the release that stops first does not come back by itself if this run is cut off: its worker is too old for that, or damaged")
		return nil, nil
	}
	go g.keep()
	return g, nil
}

func (g *guard) listen(out io.Reader) {
	defer close(g.said)
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		select {
		case g.said <- scanner.Text():
		default: // nobody waits for it
		}
	}
}

// hear waits until the guard says that it is there.
func (g *guard) hear(ctx context.Context, limit time.Duration) error {
	select {
	case line := <-g.said:
		if line == worker.GuardArmed {
			return nil
		}
	case <-time.After(limit):
		return fmt.Errorf("%w within %s", errGuardSilent, limit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return errNotGuarded
}

// ending is why a guard said something else than that it is there, or nothing:
// errNotGuarded where its program has ended by itself. A connection that breaks ends the
// session just so, but without an exit status, and perhaps before it is known to be lost.
func (g *guard) ending(limit time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- g.session.Wait() }()
	select {
	case err := <-ended:
		var exit *ssh.ExitError
		if err == nil || errors.As(err, &exit) {
			return errNotGuarded
		}
		return fmt.Errorf("%w: %w", errGuardSilent, err)
	case <-time.After(limit):
		return fmt.Errorf("%w within %s", errGuardSilent, limit)
	}
}

// keep tells the guard now and then that this run lives.
func (g *guard) keep() {
	for {
		time.Sleep(guardEvery)
		if g.tell("alive") != nil {
			return
		}
	}
}

func (g *guard) tell(word string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return errNotGuarded
	}
	_, err := io.WriteString(g.stdin, word+"\n")
	return err
}

// dismiss ends a guard that is not needed any more.
func (g *guard) dismiss() {
	_ = g.tell(worker.GuardDone)
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	_ = g.session.Close()
}

// stillGuarded makes sure that no device has started the old release again: what it
// promised before this it keeps running from here on.
func (t *transition) stillGuarded(ctx context.Context) error {
	return each(sortedKeys(t.guards), t.o.Devices, func(node string) error {
		g, s := t.guards[node], t.sites[node]
		for {
			select {
			case _, open := <-g.said: // of an earlier word
				if open {
					continue
				}
			default:
			}
			break
		}
		if err := g.tell("alive"); err != nil {
			return s.failed(err)
		}
		return s.failed(g.hear(ctx, s.o.AnswerTimeout))
	})
}

// dismissGuards ends those of some nodes.
func (t *transition) dismissGuards(nodes []string) {
	for _, node := range nodes {
		if g := t.guards[node]; g != nil {
			g.dismiss()
		}
	}
}
