package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
)

// warn keeps what a person should know for the end, once.
func (p *probing) warn(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.warnings, text) {
		p.warnings = append(p.warnings, text)
	}
}

// fail keeps what was not measured, and why, each reason once.
func (p *probing) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.failures, func(e error) bool { return e.Error() == err.Error() }) {
		p.failures = append(p.failures, err)
	}
}

// goOn says how to measure the rest after an interrupt. With -again, what was measured before
// this run looks as new as any that is within -max-age.
func (p *probing) goOn() string {
	if !p.flags.again {
		return "the next run goes on from there"
	}
	return fmt.Sprintf("`edgeplan probe -max-age TIME`, with the time that has passed since %s, measures the rest",
		p.begun.Format(time.TimeOnly))
}

// failed joins what was not measured.
func (p *probing) failed(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut = ctx.Err() != nil; p.cut {
		return fmt.Errorf("interrupted: what was measured is in %s, and %s", p.measurementsPath(), p.goOn())
	}
	if len(p.failures) == 0 {
		return nil
	}
	slices.SortFunc(p.failures, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	var lines []string
	for _, err := range p.failures {
		lines = append(lines, "  "+strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return errors.New("not all was measured; the rest is written:\n" + strings.Join(lines, "\n"))
}

// unreachable is why a device is gone, where that is what an error says.
func unreachable(err error) error {
	var away *deployer.UnreachableError
	var silent *deployer.HandshakeTimeoutError
	switch {
	case errors.As(err, &away):
		return away
	case errors.As(err, &silent):
		return silent
	}
	return nil
}

// leave takes a device out of what is still to be timed.
func (p *probing) leave(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[node] = true
}

// there says whether ranges can still be timed on a node.
func (p *probing) there(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.left[node] && p.probes.Failed()[node] == nil
}
