package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// level is the optimisation of all sessions, one thread each, as in a worker.
const level = "extended"

// timeSlice runs a slice alone for a while and prints its mean seconds, which is what a
// throughput is made of.
func timeSlice(engine, path string, d time.Duration) error {
	parsed, err := ort.ParseLevel(level)
	if err != nil {
		return err
	}
	library, err := ort.Open(engine)
	if err != nil {
		return err
	}
	session, err := library.NewSession(path, ort.SessionOptions{Level: parsed, Threads: 1})
	if err != nil {
		return err
	}
	defer session.Close()
	var inputs []tensor.Tensor
	for _, info := range session.Inputs() {
		t, err := tensor.Random(info, 1)
		if err != nil {
			return err
		}
		inputs = append(inputs, t)
	}
	runFor := func(d time.Duration) (seconds float64, err error) {
		start, n := time.Now(), 0
		for ; n == 0 || time.Since(start) < d; n++ {
			if _, err := session.Run(inputs, nil); err != nil {
				return 0, err
			}
		}
		return time.Since(start).Seconds() / float64(n), nil
	}
	if _, err := runFor(d / 8); err != nil { // pages its weights in
		return err
	}
	seconds, err := runFor(d)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(seconds)
}

// time runs a range of segments on a limited device.
func (b *bench) time(device, path string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := b.limits.command(device, self, "-slice", path, "-duration", b.measure.String())
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("time %s: %w", filepath.Base(filepath.Dir(path)), err)
	}
	var seconds float64
	return seconds, json.Unmarshal(out, &seconds)
}

// median of an odd or even number of values.
func median(values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
