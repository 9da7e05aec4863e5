package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
)

// How pipelines are measured.
const (
	measureAgain = 10 * time.Minute // after a measurement, at least; it doubles
	// measuredLately is how long a measurement stands for later attempts to do something with it.
	measuredLately = 5 * time.Minute
	// longestMeasuring is for how long at most nothing else is looked at.
	longestMeasuring = 2 * time.Minute
)

// measure measures the links of pipelines, by the code and into the file of `edgeplan
// probe`, and has later plans count with the result. What a person has written into the
// folder since it was read stays out of them.
func (w *watch) measure(ctx context.Context, models []string) error {
	nodes := w.nodesOf(models)
	p, err := w.linkProbing(nodes)
	if err != nil {
		return err
	}
	unlock, err := p.lockProbe()
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.readMeasured(); err != nil {
		return err
	}
	p.before, p.noted = cloneMeasurements(p.measured), w.noter(models)
	test := p.toTest()
	if len(test) > 0 {
		w.tell(event{Event: eventMeasuring, Message: fmt.Sprintf("measuring %s between %s%s", count(len(test), "direction"), strings.Join(nodes, ", "), w.whySlow(models))})
	}
	bounded, cancel := context.WithTimeout(ctx, longestMeasuring)
	defer cancel()
	failed := p.run(bounded)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return w.useMeasured(p.knownLinks(test), failed)
}

// knownLinks are those that a probe was for and knows: what it has measured, and what it left since
// it had been measured a short time ago. What somebody has written into the file of others is none,
// as of those whose test failed.
func (p *probing) knownLinks(tested map[direction]string) []measurement.Link {
	ways := connected(p.config)
	left := slices.DeleteFunc(slices.Clone(p.before.Links), func(l measurement.Link) bool {
		d := direction{l.From, l.To}
		_, joined := ways[d]
		_, old := tested[d]
		return !joined || old || !p.scope.link(l.From, l.To)
	})
	return append(left, p.results.Links...)
}

// useMeasured has later plans count with links that were measured.
func (w *watch) useMeasured(links []measurement.Link, failed error) error {
	before := w.project.config.Measured.All()
	news := slices.DeleteFunc(links, func(l measurement.Link) bool { return slices.Contains(before.Links, l) })
	if len(news) == 0 && failed != nil {
		return fmt.Errorf("the links could not be measured: %w", failed)
	}
	after := measurement.Merge(before, &measurement.Measurements{Links: news})
	w.project = w.project.measured(after)
	if len(news) > 0 {
		w.tellMeasured(changesOf(before, after), len(news), failed)
	}
	return nil
}

// nodesOf are the devices of pipelines, and those that they had when a slow link was found,
// as far as they are well; sorted.
func (w *watch) nodesOf(models []string) []string {
	var nodes []string
	for _, name := range models {
		m := w.state.Models[name]
		nodes = slices.Concat(nodes, plan.ReleaseNodes(&m), w.evaded[name])
	}
	slices.Sort(nodes)
	watched := w.nodes()
	return slices.DeleteFunc(slices.Compact(nodes), func(node string) bool {
		_, known := watched[node]
		return !known || w.found[node].Health != watching.Well
	})
}

// evade remembers the devices whose links made a plan change, for when these are measured again.
func (w *watch) evade(models, devices []string) {
	for _, name := range models {
		w.evaded[name] = devices
	}
}

// linkProbing is a probe of the links between some nodes.
func (w *watch) linkProbing(nodes []string) (*probing, error) {
	p, err := w.quietly().emptyProbing(probeFlags{maxAge: w.sinceMeasuring(), traffic: w.flags.traffic})
	if err != nil {
		return nil, err
	}
	p.config, p.set, p.prior, p.sent = w.project.config, w.project.set, w.state, w.sent
	p.scope = scope{kinds: []string{kindLinks}, nodes: map[string]bool{}, within: true}
	p.architectures = map[string]string{}
	for _, node := range p.config.Nodes {
		if slices.Contains(nodes, node.Address) {
			p.nodes[node.Address], p.scope.nodes[node.Address] = node, true
			p.architectures[node.Address] = w.state.Nodes[node.Address].Architecture
		}
	}
	return p, nil
}

// sinceMeasuring is how old measurements may be that are not made again: 0, or what has
// passed since the first of some attempts that failed.
func (w *watch) sinceMeasuring() time.Duration {
	if age := time.Since(w.measuring); age < measuredLately {
		return age + time.Second // moments in the file have whole seconds
	}
	w.measuring = time.Now()
	return 0
}

// sent tells the bytes that a device's workers have sent to another device.
func (w *watch) sent(ctx context.Context, d direction) (bytes float64, known bool) {
	for _, report := range w.monitor.AskOne(ctx, w.state, d.from, w.nodes()[d.from]).Workers {
		metrics, err := parseMetrics(report.Metrics)
		if report.Err != nil || err != nil {
			return 0, false
		}
		more, _ := metrics.labelled("edgeplan_transfer_bytes_total", "peer", d.to)
		bytes, known = bytes+more, true
	}
	return bytes, known
}

// measured is the project with other measurements. They are of links only, and these are
// looked up when a plan is made.
func (p *project) measured(m *measurement.Measurements) *project {
	made, cfg := *p, *p.config
	cfg.Measured = measurement.NewIndex(m)
	made.config = &cfg
	return &made
}

// whySlow is what pipelines answer, for those that are slow.
func (w *watch) whySlow(models []string) string {
	text := ""
	for _, name := range models {
		if v := w.speeds[name]; v != nil && v.pace.Slow {
			text += fmt.Sprintf("; model.%s answers %s of %s inferences/s under load", name, quantity.FormatNumber(v.answers), quantity.FormatNumber(v.predicted))
		}
	}
	return text
}

func (w *watch) tellMeasured(changes []measuredChange, links int, failed error) {
	text := fmt.Sprintf("%s measured, and written to %s", count(links, "direction"), measurement.FileName)
	for _, change := range changes {
		text += "; " + change.String()
	}
	if failed != nil {
		text += "; " + strings.ReplaceAll(failed.Error(), "\n", " ")
	}
	w.tell(event{Event: eventMeasured, Message: text})
}

// contradicted says of which transfers of a plan the configuration claims much more than
// was measured: no plan can see that.
func contradicted(made *plan.Plan, measured *measurement.Index) string {
	text := ""
	for _, m := range made.Models {
		for _, t := range m.Transfers {
			l := measured.Link(t.From, t.To)
			if t.BandwidthOrigin != config.Declared || l == nil || t.Seconds <= 0 {
				continue
			}
			if declared := float64(t.Bytes) / t.Seconds; l.BandwidthBytesPerSecond < (1-contradiction)*declared {
				text += fmt.Sprintf("; %s says %s from %s to %s, and %s was measured; what is written counts: leave the bandwidth out there to have plans use what is measured",
					t.Via, quantity.FormatBandwidth(declared), t.From, t.To, quantity.FormatBandwidth(l.BandwidthBytesPerSecond))
			}
		}
	}
	return text
}

// contradiction is how much less than declared is told, as a share of that.
const contradiction = 0.25

// proposeMeasuring says what somebody may type who has not let watch act.
func (w *watch) proposeMeasuring(d watching.Decision) {
	words := append([]string{"edgeplan probe -again -only links"}, w.flags.plan.vars.words(w.project.config)...)
	for _, node := range w.nodesOf(d.Measure) {
		words = append(words, "-only "+shellWord(node))
	}
	w.tell(event{Event: eventProposed, Message: "a link may have become slow" + w.whySlow(d.Measure) + "; to measure and to plan anew: " + strings.Join(words, " ") + " && " + w.command(w.excluded(d.Exclude))})
	w.done(d, watching.Proposed)
}
