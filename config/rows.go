package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

// maxRowFaults are told of one list of links.
const maxRowFaults = 5

// errUntold is a fault whose text nobody will see; looking for what was meant in
// every one of many rows would take minutes.
var errUntold = errors.New("names an unknown node")

// rowReader reads measured links, of which there may be hundreds of thousands.
type rowReader struct {
	*reader
	at      *hcl.Range
	members map[string]bool // nil: every node
	pairs   map[pair]int
	faults  int
	// Amounts repeat in a large list, and exact parsing is slow.
	bandwidths map[string]float64
	latencies  map[string]time.Duration
	// sameType is of a list; checked says that its columns are right.
	sameType, checked bool
}

// cached parses a text once.
func cached[T any](known map[string]T, text string, parse func(string) (T, error)) (T, error) {
	if v, ok := known[text]; ok {
		return v, nil
	}
	v, err := parse(text)
	if err == nil {
		known[text] = v
	}
	return v, err
}

// rows reads links, a list of objects with from, to, bandwidth and latency.
func (r *reader) rows(n *Network, nodesKnown bool) {
	v, attr, ok := r.shallow("links")
	if attr == nil {
		return
	}
	at := attr.Expr.Range().Ptr()
	if ty := v.Type(); ok && !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		r.fault(at, wrongType, "links must be a list of rows, not a value of type %s. Write links = csvdecode(file(\"links.csv\")).", ty.FriendlyName())
		return
	}
	if !ok {
		if v.IsKnown() && v.IsNull() {
			r.fault(at, invalidValue, "links is null. Leave it out to connect every pair.")
		}
		return
	}
	rows := &rowReader{
		reader: r, at: at, pairs: map[pair]int{},
		bandwidths: map[string]float64{}, latencies: map[string]time.Duration{},
		sameType: v.Type().IsListType(),
	}
	if nodesKnown {
		rows.members = map[string]bool{}
		for _, node := range n.Nodes {
			rows.members[node] = true
		}
	}
	n.Links, n.bandwidthAt = rows.read(v), at
	if !r.given("nodes") {
		n.Nodes = endsOf(n.Links)
	}
}

func (r *rowReader) read(v cty.Value) []NetworkLink {
	links := make([]NetworkLink, 0, v.LengthInt())
	for it, i := v.ElementIterator(), 1; it.Next(); i++ {
		_, row := it.Element()
		link, skip, err := r.row(row, i)
		if errors.Is(err, errNotKnown) {
			continue
		}
		if err != nil {
			r.faults++
			if r.faults <= maxRowFaults {
				r.fault(r.at, "Invalid row in links", "Row %d %s", i, sentence(err))
			}
			continue
		}
		if !skip {
			links = append(links, link)
		}
	}
	if r.faults > maxRowFaults {
		r.fault(r.at, "Invalid rows in links", "%d more rows are faulty. Correct the first ones and run again.", r.faults-maxRowFaults)
	}
	return links
}

// row reads one row. One from a node to itself, as a full matrix has, is skipped.
func (r *rowReader) row(row cty.Value, number int) (link NetworkLink, skip bool, err error) {
	row, _ = row.Unmark()
	cells, err := r.cells(row)
	if err != nil {
		return link, false, err
	}
	if link.From, err = r.end("from", cells.from); err != nil {
		return link, false, err
	}
	if link.To, err = r.end("to", cells.to); err != nil {
		return link, false, err
	}
	if link.From == link.To {
		return link, true, nil
	}
	if link.Bandwidth, err = cached(r.bandwidths, cells.bandwidth, quantity.ParseBandwidth); err != nil {
		return link, false, fmt.Errorf("has bandwidth = %w", err)
	}
	if link.Bandwidth <= 0 {
		return link, false, fmt.Errorf("has a bandwidth of 0. Leave the row out when the two are not connected")
	}
	if cells.latency != "" {
		link.LatencyGiven = true
		if link.Latency, err = cached(r.latencies, cells.latency, quantity.ParseDuration); err != nil {
			return link, false, fmt.Errorf("has latency = %w", err)
		}
	}
	p := pair{link.From, link.To}
	if first, taken := r.pairs[p]; taken {
		return link, false, fmt.Errorf("is the second from %s to %s, after row %d. Remove one of them", p.from, p.to, first)
	}
	r.pairs[p] = number
	return link, false, nil
}

// end finds a node of the network.
func (r *rowReader) end(column, text string) (string, error) {
	node, ok := r.nodes[text]
	if !ok || r.parent != nil {
		if r.faults >= maxRowFaults {
			return "", errUntold
		}
		var err error
		if node, err = r.findNode(text, false); err != nil {
			return "", fmt.Errorf("names no node in %s: %w", column, err)
		}
	}
	if r.members != nil && !r.members[node.Address] {
		return "", fmt.Errorf("has %s in %s, which is not among nodes of %s. Add it there, or remove the row", text, column, r.name)
	}
	return node.Address, nil // the one string of the node, not one for every row
}

func endsOf(links []NetworkLink) []string {
	seen := map[string]bool{}
	var nodes []string
	for _, l := range links {
		for _, node := range []string{l.From, l.To} {
			if !seen[node] {
				seen[node] = true
				nodes = append(nodes, node)
			}
		}
	}
	return nodes
}

// sentence ends an error as one.
func sentence(err error) string {
	if text := err.Error(); strings.HasSuffix(text, "?") || strings.HasSuffix(text, ".") {
		return text
	}
	return err.Error() + "."
}
