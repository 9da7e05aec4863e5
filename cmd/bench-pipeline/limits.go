package main

import (
	"os/exec"

	"github.com/edgeplan/edgeplan/internal/cpushare"
)

// limits make devices of this machine: each has a share of a core.
type limits struct {
	cpushare.Limits
	root string // "" limits nothing
}

// period of a share, in microseconds.
const period = cpushare.Period

func newLimits() (limits, error) {
	l, err := cpushare.New()
	return limits{l, l.Root}, err
}

func (l *limits) device(share float64) (string, error) { return l.Device(share) }

func (l limits) command(device, program string, args ...string) *exec.Cmd {
	return l.Command(device, program, args...)
}

func (l limits) remove() { l.Remove() }
