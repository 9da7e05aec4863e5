package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Logs writes the last lines of the log of a deployed model's worker on a node,
// and with follow what is added to it, until ctx ends, which is no error then.
func Logs(ctx context.Context, state *statefile.State, model, node string, lines int, follow bool, w io.Writer, o Options) error {
	known, ok := state.Nodes[node]
	if !ok {
		return fmt.Errorf("%s is not in the state: nothing is deployed there", node)
	}
	d := newDevice(node, known, o.withDefaults())
	defer d.close()
	s, err := siteOf(ctx, d, known.Path, state.Lineage)
	if err != nil {
		return d.failed(err)
	}
	l, err := s.connected(ctx)
	if err != nil {
		return d.failed(err)
	}
	dir := s.current(DeploymentName(model, state.Lineage))
	args := []string{path.Join(dir, worker.ProgramFile), "logs", "-lines", strconv.Itoa(lines), dir}
	if follow {
		args = append(args, "-follow")
	}
	if err := l.stream(ctx, w, args...); err != nil && ctx.Err() == nil {
		return d.failed(err)
	}
	return nil
}

// stream executes a command that writes to w until it ends or ctx does.
func (l *link) stream(ctx context.Context, w io.Writer, args ...string) error {
	session, err := l.client.NewSession()
	if err != nil {
		return l.why(err)
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		session.Close()
	})()
	stderr := &bounded{limit: maxStderr}
	session.Stdout, session.Stderr = w, stderr
	err = session.Run(l.command(args))
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return l.explain(err, args, strings.TrimSpace(stderr.String()))
	}
	return nil
}
