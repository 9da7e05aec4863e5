package main

import (
	"fmt"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

// drawsBars says whether standard error is a terminal that can be drawn on.
func (c *cli) drawsBars() bool {
	return isTerminal(c.stderr) && os.Getenv("TERM") != "dumb"
}

// uploadBars draws a bar for each device that gets something, below the lines of the
// steps. Its width follows the terminal's.
type uploadBars struct {
	cli  *cli
	all  *mpb.Progress
	each map[string]*bar // by node
}

// bar is the upload to one device.
type bar struct {
	*mpb.Bar
	rate  rate
	total int64
}

func newBars(c *cli) *uploadBars {
	return &uploadBars{cli: c, each: map[string]*bar{},
		all: mpb.New(mpb.WithOutput(c.stderr), mpb.WithRefreshRate(150*time.Millisecond), mpb.WithAutoRefresh())}
}

func (b *uploadBars) show(e deployer.Event) {
	logged(e)
	if e.Message != "" {
		fmt.Fprintf(b.all, "%s: %s\n", e.Node, e.Message)
	}
	if e.Total == 0 {
		return
	}
	current := b.each[e.Node]
	if current == nil || current.total != e.Total || e.Message != "" {
		b.drop(e.Node)
		current = b.add(e)
	}
	current.SetCurrent(e.Bytes)
	if e.Bytes >= e.Total {
		b.drop(e.Node)
	}
}

// add draws a new bar. A narrow terminal has less of it.
func (b *uploadBars) add(e deployer.Event) *bar {
	r := rate{begun: time.Now(), from: e.Bytes}
	speed := decor.Any(func(s decor.Statistics) string {
		if s.AvailableWidth < 60 {
			return fmt.Sprintf(" %3.0f%%", percent(s))
		}
		perSecond, left := r.at(time.Now(), s.Current, s.Total)
		if perSecond == 0 {
			return fmt.Sprintf(" %3.0f%%", percent(s))
		}
		return fmt.Sprintf(" %3.0f%%  %s/s  %s left", percent(s), quantity.FormatBytes(int64(perSecond)), left)
	})
	drawn := b.all.New(e.Total, mpb.BarStyle().Lbound("[").Filler(b.filler()).Tip(b.filler()).Padding(" ").Rbound("]"),
		mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Name(e.Node+" ", decor.WCSyncSpaceR)), mpb.AppendDecorators(speed))
	b.each[e.Node] = &bar{Bar: drawn, rate: r, total: e.Total}
	return b.each[e.Node]
}

// filler is what bars are made of, in colour where that is wanted.
func (b *uploadBars) filler() string { return b.cli.paint(b.cli.stderr, green, "=") }

func percent(s decor.Statistics) float64 { return 100 * float64(s.Current) / float64(max(1, s.Total)) }

// drop removes a device's bar.
func (b *uploadBars) drop(node string) {
	if current := b.each[node]; current != nil {
		current.Abort(true)
		delete(b.each, node)
	}
}

// end removes what is still drawn, as after an error.
func (b *uploadBars) end() {
	for node := range b.each {
		b.drop(node)
	}
	b.all.Wait()
}
