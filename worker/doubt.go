package worker

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"
)

// doubtEvery is how often a release in doubt looks whether it still is.
const doubtEvery = 500 * time.Millisecond

// awaitCall waits, in the worker of a release in doubt, until the doubt is over, a neighbour calls, or ctx ends.
// Where the doubt ends in favour of the other release it goes on waiting: it is about to be stopped.
//
// Which of two releases serves only the gateway knows, and it loads no other one. A release that serves
// is called by the gateway at its first stage, which then calls the next, and so on: so after any
// restart each device loads what it is called for. The other release holds no memory meanwhile, of
// which there may be enough for one only.
func awaitCall(ctx context.Context, dir string, log io.Writer) error {
	if !inDoubt(dir) {
		return nil
	}
	m, err := ReadManifest(dir)
	if err != nil {
		return err
	}
	var called chan struct{} // nil is never, on the gateway
	switch {
	case m.Gateway != nil && isCurrent(dir):
		return nil
	case m.Gateway == nil:
		listener, err := listenTCP(m.Listen)
		if err != nil {
			return err
		}
		called = make(chan struct{})
		go accept(listener, called)
		defer func() { listener.Close(); <-called }()
	}
	slog.New(slog.NewTextHandler(boundLog(log, dir), nil)).Warn("the device has started again within a switch: "+
		"this release is not loaded before it is called for, or the next apply", "release", m.Release)
	for inDoubt(dir) || isReplaced(dir) {
		select {
		case <-called:
			return nil
		case <-ctx.Done():
			return nil
		case <-time.After(doubtEvery):
		}
	}
	return nil
}

// accept closes called once somebody has connected, who will try again soon, or the listener is closed.
func accept(listener net.Listener, called chan<- struct{}) {
	defer close(called)
	if conn, err := listener.Accept(); err == nil {
		conn.Close()
	}
}

// isReplaced says whether a release is not to run any more, unless its folder is gone: nobody would stop it then.
func isReplaced(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ManifestFile))
	return err == nil && !Wanted(dir)
}

// inDoubt says whether a release is one of two, current and promised, on a device that has started
// again since, and that no run has started.
func inDoubt(dir string) bool {
	if id := bootID(); id == "" || readMark(dir).BootID == id {
		return false
	}
	current, currentErr := os.Stat(deploymentLink(dir))
	promised, promisedErr := os.Stat(promisedLink(dir))
	return currentErr == nil && promisedErr == nil && !os.SameFile(current, promised) &&
		(isCurrent(dir) || isNamed(promisedLink(dir), dir))
}
