package agent

import (
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// windows is into how many a test's time is divided for its samples.
const windows = 40

// arrival is how many bytes had come at some time after the first.
type arrival struct {
	at    float64 // seconds
	bytes int64
}

// mostArrivals bounds what is remembered of one test.
const mostArrivals = 1 << 17

// goodput watches bytes come.
type goodput struct {
	begun    time.Time
	bytes    int64
	arrivals []arrival
}

func (g *goodput) elapsed(now time.Time) float64 { return now.Sub(g.begun).Seconds() }

// add counts n bytes at a time. The first to come start the clock and are not counted.
func (g *goodput) add(n int, now time.Time) {
	if g.begun.IsZero() {
		g.begun = now
		return
	}
	g.bytes += int64(n)
	if len(g.arrivals) < mostArrivals {
		g.arrivals = append(g.arrivals, arrival{g.elapsed(now), g.bytes})
	}
}

// estimate is of the rate until the last arrival: silence behind it is not the link's.
func (g *goodput) estimate() probe.Estimate {
	if len(g.arrivals) == 0 {
		return probe.Estimate{Spread: 1}
	}
	return probe.Steady(g.rates(g.arrivals[len(g.arrivals)-1].at))
}

// rates are bytes per second in equal windows up to a time. What came between two
// arrivals counts as spread evenly between them: a read may bring what several
// packets did.
func (g *goodput) rates(until float64) []float64 {
	if until <= 0 {
		return nil
	}
	count := min(windows, len(g.arrivals))
	width := until / float64(count)
	rates, next, before := make([]float64, count), 0, 0.0
	last := arrival{}
	for i := range rates {
		end := width * float64(i+1)
		for next < len(g.arrivals)-1 && g.arrivals[next].at < end {
			last = g.arrivals[next]
			next++
		}
		reached := float64(g.arrivals[next].bytes)
		if span := g.arrivals[next].at - last.at; span > 0 && end < g.arrivals[next].at {
			share := (end - last.at) / span
			reached = float64(last.bytes) + share*float64(g.arrivals[next].bytes-last.bytes)
		}
		rates[i], before = (reached-before)/width, reached
	}
	return rates
}
