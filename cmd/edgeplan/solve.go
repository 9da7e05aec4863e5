package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
)

const solveHelp = `[options] FILE

Solves a placement problem that stands alone in a JSON file: no configuration, no
model and no device is needed. The answer has the placement, its bottleneck, and a
lower bound that no placement can go below; where the two meet, the placement is
proven optimal.

docs/problem.md of edgeplan describes the file. A small one:

  {
    "cut_bytes": [0, 20, 0], "segment_bytes": [50, 60],
    "nodes": [
      {"name": "a", "memory_bytes": 80, "segment_seconds": [1, 2]},
      {"name": "b", "memory_bytes": 80, "segment_seconds": [2, 1]}
    ],
    "bandwidth_bytes_per_second": [[0, 30], [30, 0]]
  }

Several models on one cluster stand in "models", each with its own cut_bytes and
segment_bytes and a "required_throughput"; segment_seconds is then one list for each
model. The smallest throughput / required throughput is made as large as possible.

Examples:
  edgeplan solve problem.json
  edgeplan solve -algorithm=exact -time-limit=1m -json problem.json | jq .status
  edgeplan solve -explain problem.json     # also what limits it, and what would help

Exit codes: 0 a placement was found, proven optimal or not; 1 bad input; 3 proven
that no placement exists; 4 nothing found and nothing proven in the time given.
`

// Exit codes of solve beside 0 and 1.
const (
	exitInfeasible = 3
	exitUnknown    = 4
)

// solveFlags are the options of solve.
type solveFlags struct {
	algorithm string
	limit     time.Duration
	json      bool
	explain   bool
}

func (f *solveFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&f.algorithm, "algorithm", string(solver.Auto), "`NAME` of the algorithm: "+algorithmNames())
	flags.DurationVar(&f.limit, "time-limit", 10*time.Second, "end the search after `TIME` with the best so far; 0 is never")
	flags.BoolVar(&f.json, "json", false, "print the answer as JSON")
	flags.BoolVar(&f.explain, "explain", false, "also say how busy every resource is, and what would help most; solves many changed problems")
}

func algorithmNames() string {
	var names []string
	for _, a := range solver.Algorithms() {
		names = append(names, string(a))
	}
	return strings.Join(names, ", ")
}

func runSolve(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("solve", flag.ContinueOnError)
	var options solveFlags
	options.add(flags)
	positional, err := c.parse(flags, solveHelp, args)
	if err != nil {
		return err
	}
	path, err := options.check(positional)
	if err != nil {
		return err
	}
	p, err := readProblem(path)
	if err != nil {
		return err
	}
	begin := time.Now()
	s, err := solver.Solve(ctx, p, solver.Options{Algorithm: solver.Algorithm(options.algorithm), TimeLimit: options.limit})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := solver.Verify(p, s); err != nil {
		return fmt.Errorf("%s: the answer does not verify, which is a fault of edgeplan: %w", path, err)
	}
	answer := newSolutionJSON(p, s, time.Since(begin).Seconds())
	if options.explain {
		if answer.Explain, err = explained(ctx, p, s); err != nil {
			return err
		}
	}
	if options.json {
		err = c.printJSON(answer)
	} else {
		c.printSolution(p, s, answer)
	}
	if err != nil {
		return err
	}
	return solveStatus(s.Status)
}

// explained is the explanation of an answer in its JSON form: what limits a
// placement, or why there is none. There is none of nothing found.
func explained(ctx context.Context, p *solver.Problem, s *solver.Solution) (any, error) {
	switch {
	case s.Conflict != nil:
		return newConflictJSON(p, s.Conflict), nil
	case s.Cost == nil:
		return nil, nil
	}
	x, err := solver.Explain(ctx, p, s, solver.ExplainOptions{})
	if err != nil {
		return nil, err
	}
	return plan.NewExplanation(x, p.ResourceName), nil
}

// check finds what is missing or wrong on the command line.
func (f *solveFlags) check(positional []string) (path string, err error) {
	switch {
	case len(positional) == 0:
		return "", errors.New("edgeplan solve needs a problem: give the path of a JSON file")
	case len(positional) > 1:
		return "", fmt.Errorf("edgeplan solve takes one problem, and %d were given: %s", len(positional), strings.Join(positional, ", "))
	case f.limit < 0:
		return "", fmt.Errorf("-time-limit=%v is negative; 0 means no limit", f.limit)
	}
	return positional[0], nil
}

func readProblem(path string) (*solver.Problem, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p, err := solver.ReadProblem(file)
	if err != nil {
		return nil, problemFaults(path, err)
	}
	return p, nil
}

// mostFaults are printed of one file.
const mostFaults = 20

// problemFaults puts the file, the line and the column before every fault.
func problemFaults(path string, err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var lines []string
	for _, err := range all[:min(len(all), mostFaults)] {
		at := path
		if fault := (*solver.FieldError)(nil); errors.As(err, &fault) && fault.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", path, fault.Line, fault.Column)
		}
		lines = append(lines, fmt.Sprintf("%s: %v", at, err))
	}
	if more := len(all) - mostFaults; more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %s", path, count(more, "more fault")))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// solveStatus is the exit code of an answer.
func solveStatus(status solver.Status) error {
	switch status {
	case solver.Infeasible:
		return exitStatus(exitInfeasible)
	case solver.Unknown:
		return exitStatus(exitUnknown)
	}
	return nil
}
