package main

import (
	"fmt"
	"strings"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/plan"
)

// figures says how much of a prediction is measured, and how much is not.
func figures(m plan.Model) string {
	var compute, memory, bandwidth, latency []config.Origin
	for _, s := range m.Stages {
		compute, memory = append(compute, s.ComputeOrigin), append(memory, s.MemoryOrigin)
	}
	for _, t := range m.Transfers {
		bandwidth, latency = append(bandwidth, t.BandwidthOrigin), append(latency, t.LatencyOrigin)
	}
	parts := []string{origins("compute", compute), origins("memory", memory)}
	if len(m.Transfers) > 0 {
		parts = append(parts, origins("bandwidth", bandwidth), origins("latency", latency))
	}
	return strings.Join(parts, "; ")
}

// origins is as "compute measured" or "compute 2 measured, 1 interpolated".
func origins(of string, list []config.Origin) string {
	var parts []string
	for _, origin := range []config.Origin{config.Measured, plan.Interpolated, config.Declared, plan.Assumed} {
		n := 0
		for _, o := range list {
			if o == origin {
				n++
			}
		}
		switch {
		case n == len(list):
			return fmt.Sprintf("%s %s", of, origin)
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, origin))
		}
	}
	return of + " " + strings.Join(parts, ", ")
}
