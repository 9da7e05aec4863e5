package main

import (
	"log/slog"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
)

// progress shows what the deployer does: bars on a terminal, lines elsewhere,
// or JSON. Its calls come one at a time.
type progress interface {
	show(deployer.Event)
	end() // leaves the output ready for what is printed next
}

// newProgress chooses how progress is shown.
func (c *cli) newProgress() progress {
	switch {
	case c.events != nil:
		return &jsonProgress{out: c.events, sometimes: newSometimes()}
	case c.drawsBars():
		return newBars(c)
	}
	return c.newLines()
}

func (c *cli) newLines() *lineProgress { return &lineProgress{cli: c, sometimes: newSometimes()} }

// logged notes a step for EDGEPLAN_LOG.
func logged(e deployer.Event) {
	if e.Message != "" {
		slog.Debug("step", "node", e.Node, "kind", e.Kind, "bytes", e.Total, "message", e.Message)
	}
}

// quietTime is how long nothing is said of a device's upload after something was.
const quietTime = 3 * time.Second

// sometimes lets through what is said of the bytes of each device now and then.
type sometimes struct {
	now  func() time.Time
	last map[string]time.Time // by node
}

func newSometimes() *sometimes { return &sometimes{now: time.Now, last: map[string]time.Time{}} }

// due says whether it is time to tell of a device again. What it is asked about
// first has just been told of by a message.
func (s *sometimes) due(node string) bool {
	now := s.now()
	last, known := s.last[node]
	if known && now.Sub(last) < quietTime {
		return false
	}
	s.last[node] = now
	return known
}

// rate tells how fast an upload is.
type rate struct {
	begun time.Time
	from  int64 // bytes that were there then
}

// at gives bytes per second, and the time that is left; 0 is not known.
func (r rate) at(now time.Time, done, total int64) (perSecond float64, left time.Duration) {
	seconds := now.Sub(r.begun).Seconds()
	if seconds <= 0 || done <= r.from {
		return 0, 0
	}
	perSecond = float64(done-r.from) / seconds
	return perSecond, time.Duration(float64(total-done) / perSecond * float64(time.Second)).Round(time.Second)
}
