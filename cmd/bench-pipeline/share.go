package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// A device that is held to a share of a core runs for a while and then stands still for a
// while. How long is not what its control group says alone: the kernel looks at the clock at
// its ticks only.

// spin runs without a pause and prints for how long it ran at a stretch, the mean, in seconds.
func spin(d time.Duration) error {
	begin := time.Now()
	last, stretch, runs := begin, begin, 0
	var ran time.Duration
	for last.Sub(begin) < d {
		now := time.Now()
		if now.Sub(last) > time.Millisecond { // stood still
			ran += last.Sub(stretch)
			runs++
			stretch = now
		}
		last = now
	}
	return json.NewEncoder(os.Stdout).Encode(ran.Seconds() / float64(max(1, runs)))
}

// timeShare is for how long a device runs at a stretch, and how often that is.
func (b *bench) timeShare(device string, share float64) (quota, period float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	command := b.limits.command(device, self, "-spin", "-duration", "3s")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("time the share: %w", err)
	}
	if err := json.Unmarshal(out, &quota); err != nil {
		return 0, 0, err
	}
	return quota, quota / share, nil
}
