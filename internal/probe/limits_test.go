package probe

import "testing"

// A spread is at most the whole mean: the file of measurements holds no wilder one.
func TestResultsOfNoDevice(t *testing.T) {
	for _, spread := range []float64{0, 0.05, 1, 1.01, 999_999} {
		link := LinkResult{BytesPerSecond: 1e6, Spread: spread, RoundTripSeconds: 1e-3, Bytes: 1e6, Seconds: 1}
		timed := RangeResult{Seconds: 1e-3, Spread: spread, Runs: 10}
		refused := spread > 1
		if err := link.Check(); (err != nil) != refused {
			t.Errorf("link with spread %g: %v", spread, err)
		}
		if err := timed.Check(); (err != nil) != refused {
			t.Errorf("range with spread %g: %v", spread, err)
		}
	}
}

func TestDeviationOfNoDevice(t *testing.T) {
	for deviation, refused := range map[float64]bool{0: false, 0.3: false, MostDeviation: false, MostDeviation + 1: true, -0.1: true} {
		timed := RangeResult{Seconds: 1e-3, Deviation: deviation, Runs: 10}
		if err := timed.Check(); (err != nil) != refused {
			t.Errorf("range with deviation %g: %v", deviation, err)
		}
	}
}
