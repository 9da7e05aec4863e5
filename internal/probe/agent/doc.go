// Package agent is what `edgeplan-worker probe` does on a device: it answers the
// requests of package probe, and ends with the connection of whoever asks.
package agent
