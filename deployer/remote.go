package deployer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// How much a command may print. A device that prints more is not listened to.
const (
	maxOutput = 4 << 20
	maxStderr = 64 << 10
)

// CommandError is a command that failed on a device.
type CommandError struct {
	Command string
	Status  int    // exit code; -1 when it was ended by a signal or the device did not say
	Signal  string // that ended it
	Stderr  string
}

func (e *CommandError) Error() string {
	how := fmt.Sprintf("exit code %d", e.Status)
	if e.Signal != "" {
		how = "ended by signal " + e.Signal
	} else if e.Status < 0 {
		how = "the device did not say how it ended"
	}
	text := fmt.Sprintf("`%s` failed (%s)", e.Command, how)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// quote makes one word for a POSIX shell of any text.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// commandLine quotes every argument.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quote(arg)
	}
	return strings.Join(quoted, " ")
}

// bounded keeps the first bytes that are written to it. It embeds no buffer: the
// buffer's ReadFrom would take everything.
type bounded struct {
	limit int
	over  func() // called when more comes; nil drops it
	wrote func() // called when anything comes; nil is not

	mu   sync.Mutex
	kept bytes.Buffer
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	room := b.limit - b.kept.Len()
	b.kept.Write(p[:min(len(p), room)])
	b.mu.Unlock()
	if len(p) > room && b.over != nil {
		b.over()
	}
	if b.wrote != nil {
		b.wrote()
	}
	return len(p), nil
}

func (b *bounded) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.String()
}

// run executes a command on some input, nil for none, and gives its standard output,
// also when it fails. When ctx ends the command is told to end; one that does not may go on.
func (l *link) run(ctx context.Context, in io.Reader, args ...string) (string, error) {
	return l.runTold(ctx, in, nil, args...)
}

// runTold is run, and tells whenever something is printed.
func (l *link) runTold(ctx context.Context, in io.Reader, told func(), args ...string) (string, error) {
	if strings.ContainsRune(strings.Join(args, ""), 0) {
		return "", fmt.Errorf("an argument of %q holds a zero byte, which no command can take", args[0])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := make(chan commandResult, 1)
	go func() { result <- l.runSession(ctx, cancel, in, told, args) }()
	select {
	case r := <-result:
		return r.stdout, r.err
	case <-ctx.Done():
	}
	select {
	case <-result:
	case <-time.After(endGrace):
	}
	return "", context.Cause(ctx)
}

// endGrace is how long a command that is no longer wanted may take to end: what
// undoes it comes next, and must not be overtaken.
const endGrace = 3 * time.Second

type commandResult struct {
	stdout string
	err    error
}

// runSession ends when the command ends, ctx ends or the connection is cut.
func (l *link) runSession(ctx context.Context, cancel context.CancelCauseFunc, in io.Reader, told func(), args []string) commandResult {
	session, err := l.client.NewSession()
	if err != nil {
		return commandResult{err: l.why(err)}
	}
	defer session.Close()
	ended := make(chan struct{})
	defer close(ended)
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		select {
		case <-ended:
		case <-time.After(endGrace):
		}
		session.Close()
	})
	defer stop()
	stdout := &bounded{limit: maxOutput, wrote: told, over: func() {
		cancel(fmt.Errorf("`%s` printed more than %d bytes", shown(args), maxOutput))
	}}
	stderr := &bounded{limit: maxStderr}
	session.Stdin, session.Stdout, session.Stderr = in, stdout, stderr
	if err := session.Run(l.command(args)); err != nil {
		return commandResult{stdout.String(), l.explain(err, args, stderr.String())}
	}
	return commandResult{stdout: stdout.String()}
}

func (l *link) explain(err error, args []string, stderr string) error {
	failed := &CommandError{Command: shown(args), Status: -1, Stderr: strings.TrimSpace(stderr)}
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case errors.As(err, &exit):
		if refused := l.notAllowed(stderr); refused != nil {
			return refused
		}
		failed.Signal = exit.Signal()
		if failed.Signal == "" {
			failed.Status = exit.ExitStatus()
		}
		return failed
	case l.lost() != nil:
		return l.lost()
	case errors.As(err, &missing):
		if l.endsSoon() {
			return l.lost()
		}
		return failed
	}
	return err
}

// shown is a command as errors show it: a script by its name alone.
func shown(args []string) string {
	if len(args) > 3 && args[0] == "sh" && args[1] == "-c" {
		args = append([]string{args[3]}, args[4:]...)
	}
	line := strings.Join(args, " ")
	const limit = 200
	if len(line) > limit {
		line = line[:limit] + "…"
	}
	return line
}
