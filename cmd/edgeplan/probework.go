package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// probing is one run of `edgeplan probe`.
type probing struct {
	*cli
	flags         probeFlags
	scope         scope
	config        *config.Config
	prior         *statefile.State
	set           *artifact.Set
	chains        map[string]*onnx.Chain // of the models to be profiled
	architectures map[string]string      // by node
	limits        probe.Limits
	nodes         map[string]*config.Node // enabled ones, by address

	begun time.Time

	// sent tells the bytes that workers have sent over a direction; nil where nobody counts.
	sent func(context.Context, direction) (bytes float64, known bool)

	probes   *deployer.Probes
	blobs    *blobFiles
	progress *steps
	// noted is told of a link before it is written; nil where nobody keeps note.
	noted func(measurement.Link) error

	writing sync.Mutex  // of the file, and of what follows
	written uint64      // the latest revision in it
	seen    fs.FileInfo // as this run has last read or written it

	mu       sync.Mutex                // of what follows
	before   *measurement.Measurements // as the file was
	measured *measurement.Measurements // replaced and never changed, since it may be being written
	results  *measurement.Measurements // those of this run
	revision uint64                    // of measured
	live     map[string]probe.Facts    // as they are now
	bases    map[string]probe.Base
	left     map[string]bool // devices that went away while they were measured
	warnings []string
	failures []error
	cut      bool // by an interrupt
}

// newProbing reads the folder and finds out what is to be measured.
func (c *cli) newProbing(ctx context.Context, f probeFlags) (*probing, error) {
	p, err := c.emptyProbing(f)
	if err != nil {
		return nil, err
	}
	if err := p.load(ctx); err != nil {
		return nil, err
	}
	for _, node := range p.config.Nodes {
		if node.Enabled {
			p.nodes[node.Address] = node
		}
	}
	return p, nil
}

// emptyProbing has nothing to measure yet.
func (c *cli) emptyProbing(f probeFlags) (*probing, error) {
	p := &probing{cli: c, flags: f, limits: probe.DefaultLimits(), nodes: map[string]*config.Node{},
		chains: map[string]*onnx.Chain{}, blobs: newBlobFiles(), live: map[string]probe.Facts{}, bases: map[string]probe.Base{}, left: map[string]bool{}, begun: time.Now(), results: &measurement.Measurements{}}
	var err error
	if p.limits.Bytes, err = quantity.ParseBytes(f.traffic); err != nil {
		return nil, fmt.Errorf("-link-traffic: %w", err)
	}
	return p, nil
}

// begin reads what was measured before, and asks nodes what they are.
func (p *probing) begin(ctx context.Context) (err error) {
	if err = p.readMeasured(); err != nil {
		return fmt.Errorf("%w\nWhat is measured is added to that file, so one that cannot be read is left as it is: mend it, or move it away to begin anew", err)
	}
	p.before = cloneMeasurements(p.measured)
	p.prior = p.priorOrNone(ctx)
	p.askArchitectures(ctx)
	return nil
}

// askArchitectures asks nodes what they are whose configuration does not say and that
// were not measured a short time ago. One that does not answer is left out, and failed.
func (p *probing) askArchitectures(ctx context.Context) {
	p.architectures = map[string]string{}
	var ask []string
	for _, name := range sortedKeys(p.nodes) {
		known := p.knownNode(name)
		switch {
		case p.nodes[name].Architecture != "":
		case p.fresh(known.MeasuredAt):
			p.architectures[name] = known.Architecture
		default:
			ask = append(ask, name)
		}
	}
	if len(ask) == 0 {
		return
	}
	p.notef("Asking %s for the architecture…", count(len(ask), "node"))
	p.each(ask, func(name string) {
		node := p.nodes[name]
		answer, err := deployer.Architectures(ctx, map[string]statefile.Node{name: {Path: node.Path, SSH: statefile.SSH(node.SSH)}}, p.deployOptions())
		p.mu.Lock()
		defer p.mu.Unlock()
		p.architectures[name] = answer[name]
		if err != nil {
			p.failures = append(p.failures, err)
		}
	})
	maps.DeleteFunc(p.nodes, func(name string, node *config.Node) bool {
		return node.Architecture == "" && p.architectures[name] == ""
	})
}

// load reads the configuration, and models where their parts are to be timed.
func (p *probing) load(ctx context.Context) (err error) {
	if p.config, err = p.loadConfig(p.flags.vars); err != nil {
		return err
	}
	if p.scope, err = newScope(p.flags.only, p.config); err != nil {
		return err
	}
	if p.set, err = artifact.Open(p.dir); err != nil {
		return err
	}
	if !p.scope.kind(kindProfiles) || len(p.config.Models) == 0 {
		return nil
	}
	engine, err := openEngine(p.set)
	if err != nil {
		return err
	}
	chains, diags := loadModels(ctx, p.config, engine)
	if err := p.check(diags, p.config.Sources); err != nil {
		return err
	}
	maps.DeleteFunc(chains, func(name string, _ *onnx.Chain) bool { return !p.scope.model(name) })
	p.chains = chains
	return nil
}

// priorOrNone is the state, of which little is needed here: probing goes on without it.
func (c *cli) priorOrNone(ctx context.Context) *statefile.State {
	state, err := c.loadState(ctx)
	if err != nil {
		c.warnf("The state cannot be read, and is not needed to measure: %v", err)
		return statefile.New()
	}
	return state
}

func cloneMeasurements(m *measurement.Measurements) *measurement.Measurements {
	return &measurement.Measurements{FormatVersion: m.FormatVersion, Nodes: slices.Clone(m.Nodes),
		Links: slices.Clone(m.Links), Profiles: slices.Clone(m.Profiles)}
}

func (p *probing) architecture(node string) string {
	if known := p.nodes[node].Architecture; known != "" {
		return known
	}
	return p.architectures[node]
}

// engine is the engine for a node; none where there is none for its architecture.
func (p *probing) engine(node string) (plan.Program, bool) {
	found, err := p.set.Engine(p.architecture(node))
	return program(found), err == nil
}

// kindOf is the node whose profiles stand for a node's: the one that it is said to be
// like, while that is there to be measured.
func (p *probing) kindOf(node string) string {
	if n := p.nodes[node]; n != nil && p.nodes[n.ProfileOf] != nil {
		return n.ProfileOf
	}
	return node
}

// toLook are the nodes whose facts are to be asked for.
func (p *probing) toLook() []string {
	var list []string
	for _, node := range sortedKeys(p.nodes) {
		if p.scope.kind(kindNodes) && p.scope.node(node) && p.stale(node) {
			list = append(list, node)
		}
	}
	return list
}

// stale says whether a node is to be looked at: also where a worker could not be
// measured there the last time, or was not by an earlier version.
func (p *probing) stale(node string) bool {
	n := p.knownNode(node)
	_, engine := p.engine(node)
	return !p.fresh(n.MeasuredAt) || engine && (n.EngineBaseBytes == 0 || n.CPUSecondsPerRequest == 0)
}

// toTest are the directions to be tested, with their media.
func (p *probing) toTest() map[direction]string {
	wanted := map[direction]string{}
	if !p.scope.kind(kindLinks) {
		return wanted
	}
	for d, medium := range connected(p.config) {
		if p.scope.link(d.from, d.to) && p.nodes[d.from] != nil && p.nodes[d.to] != nil {
			wanted[d] = medium
		}
	}
	for _, l := range p.measured.Links {
		if p.fresh(l.MeasuredAt) {
			delete(wanted, direction{l.From, l.To})
		}
	}
	return wanted
}
