package deployer

import (
	"context"
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// exchange is the blobs that devices get from each other in one run, as the plan says.
type exchange struct {
	passings map[string]*passing      // by title
	givers   map[copyOf]string        // of every copy that comes from a device
	uploaded map[string]chan struct{} // by node: closed when it has all that comes from here
	arrived  map[copyOf]chan struct{} // closed when the copy is in its place
	programs map[string][]copyOf      // by node: worker programs that come from a device
	giving   map[string]chan struct{} // by node: one passes on at a time,
	taking   map[string]chan struct{} // and takes one,
	media    map[string]chan struct{} // by shared network: of which one goes over that
}

// copyOf is a blob on a node.
type copyOf struct{ node, digest string }

// passing is what one device gets from another at once.
type passing struct {
	from, to string
	over     string // the shared network between them; "" is none
	program  bool   // whether that is worker programs, which all else is passed on by
	blobs    []statefile.Blob
	lacking  []statefile.Blob // of these, known once the rest has come to the device
}

// newExchange takes from a plan what devices of the run give each other; those that only lose
// something give as well. What makes no sense there, as a circle, comes from here.
func newExchange(p *plan.Plan, receiving, leaving []string) *exchange {
	n := &exchange{passings: map[string]*passing{}, givers: map[copyOf]string{}, uploaded: map[string]chan struct{}{},
		arrived: map[copyOf]chan struct{}{}, programs: map[string][]copyOf{}, giving: map[string]chan struct{}{}, taking: map[string]chan struct{}{},
		media: map[string]chan struct{}{}}
	for _, node := range slices.Concat(receiving, leaving) {
		n.uploaded[node], n.giving[node], n.taking[node] = make(chan struct{}), make(chan struct{}, 1), make(chan struct{}, 1)
	}
	for _, node := range leaving {
		close(n.uploaded[node])
	}
	for _, u := range p.Uploads {
		at := copyOf{u.Node, u.Blob.Digest}
		if n.givers[at] == "" && n.uploaded[u.From] != nil && slices.Contains(receiving, u.Node) {
			n.givers[at] = u.From
		}
	}
	for _, u := range p.Uploads {
		if at := (copyOf{u.Node, u.Blob.Digest}); u.From != "" && n.givers[at] == u.From {
			n.add(u, n.steps(at, len(n.uploaded)))
		}
	}
	return n
}

// steps is how many devices a copy goes through from the first that has it; more than limit
// are a circle.
func (n *exchange) steps(at copyOf, limit int) int {
	count := 0
	for giver := n.givers[at]; giver != "" && count <= limit; giver = n.givers[copyOf{giver, at.digest}] {
		count++
	}
	return count
}

// add puts what goes through as many devices into one passing: a passing waits for all of its
// blobs, and so never for a later one. Worker programs have passings of their own, which wait for
// no others.
func (n *exchange) add(u plan.Upload, steps int) {
	at := copyOf{u.Node, u.Blob.Digest}
	if steps > len(n.uploaded) {
		delete(n.givers, at)
		return
	}
	if n.arrived[at] != nil {
		return // said twice
	}
	program := u.Blob.Name == worker.ProgramFile
	title := fmt.Sprintf("%s from %s, %d, program: %t", u.Node, u.From, steps, program)
	g := n.passings[title]
	if g == nil {
		g = &passing{from: u.From, to: u.Node, over: u.Over, program: program}
		n.passings[title] = g
	}
	if u.Over != "" && n.media[u.Over] == nil {
		n.media[u.Over] = make(chan struct{}, 1)
	}
	if program {
		n.programs[u.Node] = append(n.programs[u.Node], at)
	}
	g.blobs = append(g.blobs, u.Blob)
	n.arrived[at] = make(chan struct{})
}

// fromHere are those of the blobs that a device lacks that come from here; the others wait.
func (n *exchange) fromHere(node string, missing []statefile.Blob) []statefile.Blob {
	passed := map[string]*passing{} // by digest
	for _, g := range n.passings {
		if g.to == node {
			for _, blob := range g.blobs {
				passed[blob.Digest] = g
			}
		}
	}
	var here []statefile.Blob
	for _, blob := range missing {
		if g := passed[blob.Digest]; g != nil {
			g.lacking = append(g.lacking, blob)
		} else {
			here = append(here, blob)
		}
	}
	return here
}

// await waits until both devices have the worker program, and the giver the blobs.
func (n *exchange) await(ctx context.Context, g *passing) error {
	for _, c := range n.before(g) {
		select {
		case <-c:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (n *exchange) before(g *passing) []chan struct{} {
	waits := []chan struct{}{n.uploaded[g.from], n.uploaded[g.to]}
	for _, blob := range g.blobs {
		if c := n.arrived[copyOf{g.from, blob.Digest}]; c != nil {
			waits = append(waits, c)
		}
	}
	if g.program {
		return waits
	}
	for _, at := range slices.Concat(n.programs[g.from], n.programs[g.to]) {
		waits = append(waits, n.arrived[at])
	}
	return waits
}

// pass has a device get what another gives it. What that does not do is sent from here.
func (a *applying) pass(ctx context.Context, n *exchange, g *passing) error {
	if err := n.await(ctx, g); err != nil {
		return err
	}
	if len(g.lacking) > 0 {
		if err := a.takeOrSend(ctx, n, g); err != nil {
			return err
		}
	}
	for _, blob := range g.blobs {
		close(n.arrived[copyOf{g.to, blob.Digest}])
	}
	return nil
}

func (a *applying) takeOrSend(ctx context.Context, n *exchange, g *passing) error {
	err := take(ctx, n.giving[g.from])
	if err != nil {
		return err
	}
	if err = take(ctx, n.taking[g.to]); err == nil { // whoever has that waits for the network alone
		defer func() { <-n.taking[g.to] }()
		err = a.giveAlone(ctx, n.media[g.over], g)
	}
	<-n.giving[g.from]
	if err == nil || ctx.Err() != nil {
		return err
	}
	s := a.sites[g.to]
	s.emit("warning", "could not get %s from %s, now sent from here: %s", count(len(g.lacking), "file"), g.from, oneLine(err.Error()))
	missing, err := s.missing(ctx, g.lacking)
	if err != nil {
		return err
	}
	return s.upload(ctx, a.plan.Blobs, missing)
}

// giveAlone waits for a shared network, and whoever has that for nobody; nil is none.
func (a *applying) giveAlone(ctx context.Context, network chan struct{}, g *passing) error {
	if network != nil {
		if err := take(ctx, network); err != nil {
			return err
		}
		defer func() { <-network }()
	}
	return a.give(ctx, g)
}
