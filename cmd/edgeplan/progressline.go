package main

import (
	"fmt"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

// lineProgress prints a line for each step, and now and then one for an upload.
type lineProgress struct {
	*cli
	*sometimes
	rates map[string]rate
}

func (p *lineProgress) show(e deployer.Event) {
	logged(e)
	if e.Message != "" {
		fmt.Fprintf(p.stderr, "%s: %s\n", e.Node, e.Message)
		if e.Total > 0 {
			p.begin(e)
		}
		return
	}
	if e.Bytes < e.Total && p.due(e.Node) {
		fmt.Fprintf(p.stderr, "%s: %s\n", e.Node, uploadText(p.rates[e.Node], p.now(), e))
	}
}

func (p *lineProgress) begin(e deployer.Event) {
	if p.rates == nil {
		p.rates = map[string]rate{}
	}
	p.rates[e.Node] = rate{begun: p.now(), from: e.Bytes}
	p.last[e.Node] = p.now()
}

func (p *lineProgress) end() {}

// uploadText is as "uploaded 3.1 MB of 7.2 MB, 1.0 MB/s, 4s left".
func uploadText(r rate, now time.Time, e deployer.Event) string {
	text := fmt.Sprintf("uploaded %s of %s", quantity.FormatBytes(e.Bytes), quantity.FormatBytes(e.Total))
	if e.From != "" {
		text = fmt.Sprintf("got %s of %s from %s", quantity.FormatBytes(e.Bytes), quantity.FormatBytes(e.Total), e.From)
	}
	if perSecond, left := r.at(now, e.Bytes, e.Total); perSecond > 0 {
		text += fmt.Sprintf(", %s/s, %s left", quantity.FormatBytes(int64(perSecond)), left)
	}
	return text
}
