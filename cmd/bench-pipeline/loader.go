package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// loader sends requests for a while, as a simulated load does: the first tenth is warm-up, and
// what is answered after the end does not count.
type loader struct {
	begin time.Time
	d     time.Duration
	send  func() error

	group  sync.WaitGroup
	mu     sync.Mutex
	took   []float64
	failed error
}

// closed keeps a number of requests under way.
func (l *loader) closed(concurrency int) {
	for range concurrency {
		l.group.Go(func() {
			for due := time.Now(); due.Before(l.begin.Add(l.d)) && l.once(due); {
				due = time.Now()
			}
		})
	}
	l.group.Wait()
}

// open sends requests after the given pauses, whether or not earlier ones are answered.
func (l *loader) open(pause func() float64) {
	due := l.begin
	for {
		due = due.Add(time.Duration(pause() * float64(time.Second)))
		if due.After(l.begin.Add(l.d)) {
			break
		}
		time.Sleep(time.Until(due))
		l.group.Go(func() { l.once(due) })
	}
	l.group.Wait()
}

// once sends a request and tells whether it was answered.
func (l *loader) once(due time.Time) bool {
	err := l.send()
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch since := now.Sub(l.begin); {
	case err != nil:
		l.failed = err
	case since > l.d/10 && since <= l.d:
		l.took = append(l.took, now.Sub(due).Seconds())
	}
	return err == nil
}

func (l *loader) outcome() (outcome, error) {
	if l.failed != nil {
		return outcome{}, l.failed
	}
	n := len(l.took)
	if n < 100 {
		return outcome{}, fmt.Errorf("only %d answers in %v: measure for longer", n, l.d)
	}
	slices.Sort(l.took)
	return outcome{float64(n) / (0.9 * l.d.Seconds()), l.took[(n+1)/2-1], l.took[(99*n+99)/100-1]}, nil
}

func randomRequest(inputs []tensor.Info) ([]tensor.Tensor, error) {
	var request []tensor.Tensor
	for _, info := range inputs {
		t, err := tensor.Random(info, 1)
		if err != nil {
			return nil, err
		}
		request = append(request, t)
	}
	return request, nil
}
