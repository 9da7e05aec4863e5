package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The names under which algorithms are timed.
const (
	timedPartition = "the paper's partitioning"
	timedGreedy    = "greedy, its cuts given"
	timedRandom    = "random"
	timedRepaired  = "k-path repaired"
	timedGiven     = "best nodes for the paper's cuts"
	timedOurs      = "joint optimum"
	timedTrue      = "joint optimum, true memory"
)

func timedKPath(classes int) string {
	return fmt.Sprintf("k-path matching as published, C = %d", classes)
}

// timedNames are all of them in the order of the table.
func timedNames() []string {
	names := []string{timedPartition}
	for _, c := range classCounts {
		names = append(names, timedKPath(c))
	}
	return append(names, timedRepaired, timedGreedy, timedRandom, timedGiven, timedOurs, timedTrue)
}

// clock times the algorithms on networks of one size.
type clock struct {
	nodes int
	all   *timings
}

// start begins to time an algorithm and gives what ends it.
func (c *clock) start(algorithm string) (stop func()) {
	began := time.Now()
	return func() { c.all.add(timed{algorithm, c.nodes}, time.Since(began)) }
}

// timings say how long each algorithm took on networks of each size. They are the only
// part of a run that differs from one to the next.
type timings struct {
	mu    sync.Mutex
	spent map[timed]spent
}

type timed struct {
	algorithm string
	nodes     int
}

// spent is the time of some runs, in seconds.
type spent struct {
	runs       int
	mean, most float64
}

func newTimings() *timings { return &timings{spent: map[timed]spent{}} }

func (t *timings) add(key timed, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.spent[key]
	s.runs++
	s.mean += (took.Seconds() - s.mean) / float64(s.runs)
	s.most = max(s.most, took.Seconds())
	t.spent[key] = s
}

func (t *timings) write(w io.Writer) error {
	records := [][]string{{"algorithm", "nodes", "runs", "mean_seconds", "most_seconds"}}
	for key, s := range t.spent {
		records = append(records, []string{key.algorithm, fmt.Sprint(key.nodes), fmt.Sprint(s.runs), brief(s.mean), brief(s.most)})
	}
	slices.SortFunc(records[1:], slices.Compare)
	return csv.NewWriter(w).WriteAll(records)
}

func brief(x float64) string { return strconv.FormatFloat(x, 'g', 2, 64) }

func readTimings(r io.Reader) (map[timed]spent, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = 5
	records, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	out := map[timed]spent{}
	for n, record := range records[min(1, len(records)):] {
		f := &fields{rest: record}
		key := timed{f.next(), int(f.number())}
		out[key] = spent{int(f.number()), f.number(), f.number()}
		if f.err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, f.err)
		}
	}
	return out, nil
}
