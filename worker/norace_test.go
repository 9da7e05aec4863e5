//go:build !race

package worker

const raceMemory = 1
