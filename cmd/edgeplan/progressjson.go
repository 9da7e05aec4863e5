package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/plan"
)

// jsonProgress writes an object a line: all steps, and now and then the bytes of
// an upload.
type jsonProgress struct {
	out io.Writer
	*sometimes
}

// eventDocument is one line of `apply -json`. docs/apply-json.md is about it.
type eventDocument struct {
	Type    string `json:"type"` // plan, step, progress, result or error
	Time    string `json:"time"` // RFC 3339
	Node    string `json:"node,omitempty"`
	From    string `json:"from,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Total   int64  `json:"total,omitempty"`
}

func (p *jsonProgress) show(e deployer.Event) {
	logged(e)
	kind := "step"
	if e.Message == "" {
		kind = "progress"
		if e.Bytes < e.Total && !p.due(e.Node) {
			return
		}
	}
	writeEvent(p.out, eventDocument{Type: kind, Node: e.Node, From: e.From, Kind: e.Kind, Message: e.Message, Bytes: e.Bytes, Total: e.Total})
}

func (p *jsonProgress) end() {}

// writeEvent writes one line. That a write failed is kept by standard output itself.
func writeEvent(out io.Writer, e eventDocument) {
	e.Time = time.Now().UTC().Format(time.RFC3339Nano)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(e)
}

// withEvents runs with events on standard output. The last of them tells how it ended.
func (c *cli) withEvents(run func() error) error {
	c.events, c.stdout = c.stdout, &output{Writer: c.stderr}
	err := run()
	end := eventDocument{Type: "result", Message: "done"}
	if err != nil {
		end = eventDocument{Type: "error", Message: err.Error()}
	}
	writeEvent(c.events, end)
	c.stdout, c.events = c.events, nil
	return err
}

// planEvent tells how many bytes go to each device, before they do.
func (c *cli) planEvent(p *plan.Plan) {
	if c.events == nil {
		return
	}
	for _, u := range uploadsByNode(p) {
		if here := u.fromHere(); here > 0 {
			writeEvent(c.events, eventDocument{Type: "plan", Node: u.Node, Kind: "upload", Total: here})
		}
		for _, g := range u.Neighbours {
			writeEvent(c.events, eventDocument{Type: "plan", Node: u.Node, From: g.Node, Kind: "upload", Total: g.Bytes})
		}
	}
}
