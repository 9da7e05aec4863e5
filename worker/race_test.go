//go:build race

package worker

// raceMemory is how many times the memory a process takes under the race detector
// (go.dev/doc/articles/race_detector, "Runtime Overheads": five to ten).
const raceMemory = 8
