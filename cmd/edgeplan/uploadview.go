package main

import (
	"fmt"
	"strings"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
)

// uploadDocument is what a device gets.
type uploadDocument struct {
	Node  string `json:"node"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Neighbours give a part of that.
	Neighbours []givenDocument `json:"neighbours"`
}

// givenDocument is what a device gets from another one.
type givenDocument struct {
	Node  string `json:"node"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// fromHere are the bytes that come from this machine.
func (u uploadDocument) fromHere() int64 {
	bytes := u.Bytes
	for _, g := range u.Neighbours {
		bytes -= g.Bytes
	}
	return bytes
}

// uploadsByNode adds up what each device gets.
func uploadsByNode(p *plan.Plan) []uploadDocument {
	var list []uploadDocument
	given := map[string]map[string]givenDocument{} // by who gets and who gives
	for _, u := range p.Uploads {                  // in order of node
		if len(list) == 0 || list[len(list)-1].Node != u.Node {
			list = append(list, uploadDocument{Node: u.Node, Neighbours: []givenDocument{}})
			given[u.Node] = map[string]givenDocument{}
		}
		last := &list[len(list)-1]
		last.Files++
		last.Bytes += u.Blob.Size
		if u.From != "" {
			g := given[u.Node][u.From]
			given[u.Node][u.From] = givenDocument{u.From, g.Files + 1, g.Bytes + u.Blob.Size}
		}
	}
	for i := range list {
		for _, from := range sortedKeys(given[list[i].Node]) {
			list[i].Neighbours = append(list[i].Neighbours, given[list[i].Node][from])
		}
	}
	return list
}

// printUploads shows what comes from where, when not all comes from here.
func (c *cli) printUploads(p *plan.Plan) {
	if p.GivenBytes() == 0 {
		return
	}
	rows := [][]string{{"device", "from here", "from other devices"}}
	for _, u := range uploadsByNode(p) {
		var parts []string
		for _, g := range u.Neighbours {
			parts = append(parts, fmt.Sprintf("%s from %s", quantity.FormatBytes(g.Bytes), g.Node))
		}
		if parts == nil {
			parts = []string{"nothing"}
		}
		rows = append(rows, []string{u.Node, quantity.FormatBytes(u.fromHere()), strings.Join(parts, ", ")})
	}
	c.printTable(rows)
	fmt.Fprintln(c.stdout)
}

// uploadSummary is how much is moved in all.
func uploadSummary(p *plan.Plan) string {
	all, given := p.UploadBytes(), p.GivenBytes()
	switch {
	case all == 0:
		return ""
	case given == 0:
		return fmt.Sprintf(" Upload: %s.", quantity.FormatBytes(all))
	}
	return fmt.Sprintf(" Upload: %s from here, %s between devices.", quantity.FormatBytes(all-given), quantity.FormatBytes(given))
}
