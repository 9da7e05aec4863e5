package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const logsHelp = `[options] [MODEL]

Prints the end of the logs of a deployed pipeline's workers, each line behind the
device it comes from. With -f it goes on with what they log, until Ctrl-C.

Examples:
  edgeplan logs
  edgeplan logs -f -node 'node.pi["hall"]'
  edgeplan logs -n 1000 resnet50
`

func runLogs(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("logs", flag.ContinueOnError)
	lines := flags.Int("n", 50, "print the last `COUNT` lines of each worker")
	follow := flags.Bool("f", false, "go on with what is logged from now on")
	only := flags.String("node", "", "only the worker on the device with this `ADDRESS`")
	state, name, err := c.parseDeployed(ctx, flags, logsHelp, args)
	if err != nil {
		return err
	}
	if *lines < 0 {
		return errors.New("-n must be 0 or more")
	}
	nodes, err := logNodes(state.Models[name], name, *only)
	if err != nil {
		return err
	}
	return c.logs(ctx, state, name, nodes, *lines, *follow)
}

func logNodes(m statefile.Model, name, only string) ([]string, error) {
	nodes := plan.ReleaseNodes(&m)
	if only == "" {
		return nodes, nil
	}
	if !slices.Contains(nodes, only) {
		return nil, fmt.Errorf("model %q has no worker on %s; it has some on %s", name, only, strings.Join(nodes, ", "))
	}
	return []string{only}, nil
}

// logs reads one log after the other, or all at once when they are followed.
func (c *cli) logs(ctx context.Context, state *statefile.State, name string, nodes []string, lines int, follow bool) error {
	var mu sync.Mutex
	failures := make([]error, len(nodes))
	read := func(i int) {
		w := &prefixed{prefix: nodes[i] + "  ", out: c.stdout, mu: &mu}
		failures[i] = deployer.Logs(ctx, state, name, nodes[i], lines, follow, w, c.deployOptions())
		w.flush()
	}
	var group sync.WaitGroup
	for i := range nodes {
		if follow {
			group.Go(func() { read(i) })
		} else {
			read(i)
		}
	}
	group.Wait()
	return errors.Join(failures...)
}

// prefixed writes whole lines, each behind a prefix. Bytes that would move a
// terminal's cursor are left out: a device is not trusted with the operator's
// screen.
type prefixed struct {
	prefix string
	out    io.Writer
	mu     *sync.Mutex // of all that write to out
	rest   []byte      // a line that has not ended
}

// maxLogLine bounds what a device that ends no line makes us keep.
const maxLogLine = 64 << 10

func (p *prefixed) Write(data []byte) (int, error) {
	p.rest = append(p.rest, data...)
	for {
		line, rest, ended := bytes.Cut(p.rest, []byte("\n"))
		if !ended && len(p.rest) < maxLogLine {
			return len(data), nil
		}
		if err := p.line(line); err != nil {
			return 0, err
		}
		p.rest = rest
	}
}

func (p *prefixed) flush() {
	if len(p.rest) > 0 {
		p.line(p.rest)
	}
	p.rest = nil
}

func (p *prefixed) line(line []byte) error {
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, string(line))
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := fmt.Fprintf(p.out, "%s%s\n", p.prefix, text)
	return err
}
