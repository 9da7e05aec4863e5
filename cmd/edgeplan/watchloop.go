package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// watch is one run of `edgeplan watch`.
type watch struct {
	*cli
	flags   watchFlags
	states  *statefile.Manager
	machine *watching.Machine
	monitor *deployer.Monitor
	journal *journal
	metrics *watchMetrics
	speeds  speeds
	evaded  map[string][]string // devices that are measured along with a pipeline, by model
	// measuring is when the measurement began that no plan has been made with yet.
	measuring time.Time
	note      *measuredNote // what was measured and not planned with to the end; nil is nothing

	project *project // the folder as it was when what is deployed was applied
	folder  string   // how the folder looked when it was read
	state   *statefile.State
	begun   time.Time // its monotonic part is the clock of the machine
	looked  time.Time // when the state was last read
	lost    string    // why the state cannot be read; "" when it can

	found    map[string]watching.Seen
	pending  string // why nothing is changed for now; "" when nothing stands in the way
	judged   bool   // whether pending is of this state and folder
	judgedAt time.Time
	failure  string // that was told last
}

// judgeEvery is how long at most it is believed that something stands in the way.
const judgeEvery = time.Minute

// stateEvery is how often the state is read to see what others have applied.
func stateEvery(interval time.Duration) time.Duration { return min(3*interval, 15*time.Second) }

func (c *cli) newWatch(ctx context.Context, f watchFlags) (*watch, error) {
	w := &watch{cli: c, flags: f, machine: watching.New(f.settings), begun: time.Now(), speeds: speeds{}, evaded: map[string][]string{}}
	var err error
	if w.states, err = c.state(ctx); err != nil {
		return nil, err
	}
	if w.state, err = c.load(ctx, w.states); err != nil {
		return nil, err
	}
	w.looked = time.Now()
	if err := w.read(ctx, c); err != nil {
		return nil, err
	}
	if _, err := plan.Excluded(f.plan.exclude, w.project.config, w.state); err != nil {
		return nil, err
	}
	if w.journal, err = openJournal(c, f.log); err != nil {
		return nil, err
	}
	if w.metrics, err = serveWatchMetrics(f.metrics); err != nil {
		return nil, errors.Join(err, w.journal.close())
	}
	w.monitor = deployer.NewMonitor(answerLimit(f.interval), c.deployOptions())
	return w, nil
}

func (w *watch) close() {
	w.monitor.Close()
	w.metrics.close()
	if err := w.journal.close(); err != nil {
		w.warnf("%v", err)
	}
}

// read reads the folder, and says what is wrong with it on the given command line.
func (w *watch) read(ctx context.Context, c *cli) error {
	w.folder, w.judged = w.fingerprint(), false
	p, err := c.loadProject(ctx, w.flags.plan.vars)
	if err == nil {
		w.project, w.note = p, nil
	}
	return err
}

// run looks and acts until ctx ends. Only that ends it.
func (w *watch) run(ctx context.Context) error {
	w.tell(event{Event: eventStart, Serial: w.state.Serial, Message: fmt.Sprintf("watching %s", count(len(w.nodes()), "device"))})
	ticker := time.NewTicker(w.flags.interval)
	defer ticker.Stop()
	for {
		err := w.round(ctx)
		if ctx.Err() != nil {
			w.tell(event{Event: eventStop, Message: "ended by a signal"})
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// round looks once, and acts where that is due. An error is one to end with.
func (w *watch) round(ctx context.Context) error {
	if time.Since(w.looked) >= stateEvery(w.flags.interval) {
		w.look(ctx)
	}
	begun := time.Now()
	answers := w.monitor.Ask(ctx, w.state, w.nodes())
	if ctx.Err() != nil {
		return nil
	}
	stages := w.speeds.measure(w.state, answers, w.flags.least)
	w.found = w.judge(answers, stages)
	w.machine.Observe(time.Since(w.begun), w.found, w.speeds.flows(w.state, answers, stages, w.flags.least, time.Now()))
	w.metrics.observe(w, time.Since(begun))
	if w.machine.AllAway() {
		w.say("no device answers: waiting, since it is more likely that this machine is cut off")
		return nil
	}
	if !w.ready(ctx) {
		return nil
	}
	d, ok := w.machine.Next(time.Since(w.begun))
	if !ok {
		return nil
	}
	err := w.act(ctx, d)
	w.speeds.acted()
	return err
}

// nodes are the devices that are watched, as they are reached now.
func (w *watch) nodes() map[string]statefile.Node {
	known := knownNodes(w.project.config, w.state)
	watched := map[string]statefile.Node{}
	for _, node := range enabledNodes(w.project.config) {
		if !slices.Contains(w.flags.plan.exclude, node) {
			watched[node] = known[node]
		}
	}
	return watched
}

// judge says how each device was found, and tells what changed.
func (w *watch) judge(answers map[string]deployer.Health, slow map[string]stagePace) map[string]watching.Seen {
	used := inUse(w.state)
	found, reasons := map[string]watching.Seen{}, map[string]string{}
	othersWell := true
	for node, answer := range answers {
		s := watching.Seen{InUse: used[node]}
		s.Measured, s.Slow = slow[node].measured, slow[node].slow
		s.Health, reasons[node] = w.health(node, answer)
		othersWell = othersWell && s.Health == watching.Well
		found[node] = s
	}
	if othersWell {
		w.judgeGateways(answers, found, reasons)
	}
	for _, node := range sortedKeys(found) {
		w.tellChange(node, found[node].Health, reasons[node])
	}
	return found
}

// health is how a device answered. A gateway that is not ready may only miss others.
func (w *watch) health(node string, answer deployer.Health) (watching.Health, string) {
	if answer.Err != nil {
		return watching.Away, answer.Err.Error()
	}
	for _, name := range sortedKeys(answer.Workers) {
		report := answer.Workers[name]
		switch {
		case report.Err != nil:
			return watching.Ill, fmt.Sprintf("model.%s: %v", name, report.Err)
		case !report.Ready && w.state.Models[name].Gateway != node:
			return watching.Ill, fmt.Sprintf("%s: model.%s: the worker is not ready", node, name)
		}
	}
	return watching.Well, ""
}

// judgeGateways takes gateways for ill that are not ready although all others are well.
func (w *watch) judgeGateways(answers map[string]deployer.Health, found map[string]watching.Seen, reasons map[string]string) {
	for name, m := range w.state.Models {
		report, asked := answers[m.Gateway].Workers[name]
		if asked && !report.Ready {
			s := found[m.Gateway]
			s.Health = watching.Ill
			found[m.Gateway] = s
			reasons[m.Gateway] = fmt.Sprintf("%s: model.%s: the gateway is not connected with the ends of its pipeline", m.Gateway, name)
		}
	}
}

func (w *watch) tellChange(node string, now watching.Health, why string) {
	before, known := w.found[node]
	if known && before.Health == now || !known && now == watching.Well {
		return
	}
	switch now {
	case watching.Away:
		w.tell(event{Event: eventAway, Node: node, Message: why})
	case watching.Ill:
		w.tell(event{Event: eventIll, Node: node, Message: why})
	default:
		w.tell(event{Event: eventBack, Node: node, Message: node + " answers, and so do its workers"})
	}
}

// inUse are the nodes that carry a part of what is deployed.
func inUse(s *statefile.State) map[string]bool {
	used := map[string]bool{}
	for _, m := range s.Models {
		for _, node := range plan.ReleaseNodes(&m) {
			used[node] = true
		}
	}
	return used
}

// say tells something once, until something else is told that way.
func (w *watch) say(text string) {
	if w.failure != text {
		w.failure = text
		w.tell(event{Event: eventWaiting, Message: text})
	}
}

// excluded are the devices that plans leave out, with those of -exclude.
func (w *watch) excluded(also []string) []string {
	all := slices.Concat(w.flags.plan.exclude, also)
	slices.Sort(all)
	return slices.Compact(all)
}

// command is what a person types to do the same.
func (w *watch) command(exclude []string) string {
	words := append([]string{"edgeplan apply"}, w.flags.plan.vars.words(w.project.config)...)
	for _, node := range exclude {
		words = append(words, "-exclude "+shellWord(node))
	}
	return strings.Join(words, " ")
}
