package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// look reads the state, and takes in what others have done. A state that cannot be read
// is told once; the devices are watched on.
func (w *watch) look(ctx context.Context) bool {
	w.looked = time.Now()
	now, err := w.states.Load(ctx)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		if w.lost != err.Error() {
			w.lost = err.Error()
			w.tell(event{Event: eventStateLost, Message: w.lost})
		}
		return false
	case w.lost != "":
		w.lost = ""
		w.tell(event{Event: eventStateBack, Serial: now.Serial, Message: "the state can be read again"})
	}
	if now.Serial != w.state.Serial || now.Serial > 0 && now.Lineage != w.state.Lineage {
		w.take(ctx, now)
	}
	return true
}

// take goes on from a state that somebody else has made, and from the folder as it is now.
func (w *watch) take(ctx context.Context, now *statefile.State) {
	w.tell(event{Event: eventTaken, Serial: now.Serial, Message: fmt.Sprintf("somebody else has changed the state: it was at serial %d", w.state.Serial)})
	w.state, w.failure, w.speeds, w.evaded = now, "", speeds{}, map[string][]string{}
	w.machine.Taken(inUse(now))
	if err := w.read(ctx, w.quietly()); err != nil && ctx.Err() == nil {
		w.say("the folder cannot be read anew, so it is as it was before: " + err.Error())
	}
}

// quietly is the command line without progress and warnings: what matters becomes an event.
func (w *watch) quietly() *cli {
	quiet := *w.cli
	quiet.stderr = io.Discard
	return &quiet
}

// ready says whether the folder asks for what is deployed and nothing else. Where it asks
// for more, or is older than what was applied from elsewhere, a plan would carry out
// what nobody has reviewed: then watch waits for the folder or the state to change.
func (w *watch) ready(ctx context.Context) bool {
	if w.judged && w.pending == "" {
		return true
	}
	if w.judged {
		if !w.stale() {
			return false
		}
		if err := w.read(ctx, w.quietly()); err != nil {
			w.judged, w.judgedAt = true, time.Now()
			return false
		}
	}
	before := w.pending
	w.compare(func() string { return w.outstanding(ctx) })
	w.judged, w.judgedAt = ctx.Err() == nil, time.Now()
	switch {
	case ctx.Err() != nil:
		return false
	case w.pending != "" && w.pending != before:
		w.tell(event{Event: eventPending, Message: w.pending})
	case w.pending == "" && before != "":
		w.tell(event{Event: eventReady, Message: "the configuration asks for what is deployed"})
	}
	return w.pending == ""
}

// stale says whether what keeps watch waiting is to be judged again: the folder changed, or
// something may have that its top does not show, as a module or a passing error.
func (w *watch) stale() bool {
	return w.folder != w.fingerprint() || time.Since(w.judgedAt) >= judgeEvery
}

// outstanding is what the folder asks for that is not deployed; "" is nothing.
func (w *watch) outstanding(ctx context.Context) string {
	if len(w.state.Models) == 0 {
		return "nothing is deployed yet, and the first `edgeplan apply` is for a person to review"
	}
	made, err := w.plan(ctx, w.state, w.machine.Excluded(), refreshNot)
	if err != nil {
		return "there is no plan of the configuration, so nothing is changed: " + err.Error()
	}
	var models []string
	for _, d := range made.Deployments {
		models = append(models, "model."+d.Model)
	}
	if len(models) == 0 {
		return ""
	}
	return fmt.Sprintf("the configuration here asks for what is not deployed (%s), so nothing is changed until that is reviewed: `edgeplan plan`, then `edgeplan apply`; "+
		"if it was applied from elsewhere, bring this folder up to date", strings.Join(models, ", "))
}

// plan makes a plan of the folder as it was read.
func (w *watch) plan(ctx context.Context, prior *statefile.State, exclude []string, refresh refreshing) (*plan.Plan, error) {
	f := w.flags.plan
	f.exclude, f.refresh = w.excluded(exclude), refresh
	quiet := w.quietly()
	input, err := quiet.inputOf(ctx, f, w.project, prior)
	if err != nil {
		return nil, err
	}
	return quiet.build(ctx, input)
}

// act plans for a decision, and carries it out where that is wanted. The error is one to
// end with: an apply that was interrupted.
func (w *watch) act(ctx context.Context, d watching.Decision) error {
	serial := w.state.Serial
	if !w.look(ctx) {
		w.done(d, watching.NoPlan)
		return nil
	}
	if w.state.Serial != serial {
		return nil // somebody else was quicker: look at what is there now
	}
	if len(d.Measure) > 0 && !w.flags.auto {
		w.proposeMeasuring(d)
		return nil
	}
	made, err := w.planFor(ctx, d)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		w.fail(d, unplanned(err), fmt.Errorf("there is no plan %s: %w", aim(d), err))
		return nil
	case made.Empty():
		w.unchanged(d, made)
		return nil
	}
	w.printPlan(made)
	if !w.flags.auto {
		w.tell(event{Event: eventProposed, Excluded: made.Excluded, UploadBytes: made.UploadBytes(),
			Message: fmt.Sprintf("a plan %s is ready; to carry it out: %s", aim(d), w.command(made.Excluded))})
		w.done(d, watching.Proposed)
		return nil
	}
	return w.apply(ctx, d, made)
}

// planFor makes the plan for a decision, with new measurements where these are part of it.
func (w *watch) planFor(ctx context.Context, d watching.Decision) (*plan.Plan, error) {
	if len(d.Measure) > 0 {
		if err := w.measure(ctx, d.Measure); err != nil {
			return nil, err
		}
	}
	made, err := w.plan(ctx, w.state, d.Exclude, refreshQuick)
	if err != nil {
		return nil, err
	}
	return made, w.speeds.worthwhile(made, d.Leave)
}

// unchanged tells that a plan had nothing to do. What it predicts with new measurements is
// what the pipeline is compared with from now on.
func (w *watch) unchanged(d watching.Decision, made *plan.Plan) {
	text := "nothing has to change " + aim(d)
	if len(d.Measure) > 0 {
		w.speeds.explained(made)
		text += contradicted(made, w.project.config.Measured)
	}
	w.tell(event{Event: eventUnchanged, Excluded: made.Excluded, Message: text})
	w.done(d, watching.Unchanged)
}

// aim is what a decision is for, as part of a sentence.
func aim(d watching.Decision) string {
	var parts []string
	if len(d.Leave) > 0 {
		parts = append(parts, "without "+strings.Join(d.Leave, ", "))
	}
	if len(d.Return) > 0 {
		parts = append(parts, "with "+strings.Join(d.Return, ", ")+" again")
	}
	if len(d.Repair) > 0 {
		parts = append(parts, "to repair "+strings.Join(d.Repair, ", "))
	}
	for _, name := range d.Measure {
		parts = append(parts, "with new measurements for model."+name)
	}
	return strings.Join(parts, " and ")
}

// apply carries a plan out, under the lock of the state.
func (w *watch) apply(ctx context.Context, d watching.Decision, made *plan.Plan) error {
	w.tell(event{Event: eventApplying, Excluded: made.Excluded, Serial: w.state.Serial, UploadBytes: made.UploadBytes(), Message: "applying the plan " + aim(d)})
	begun, tried, devices := time.Now(), watching.NoPlan, w.nodesOf(d.Measure)
	err := w.locked(ctx, w.states, "watch", 0, func() error {
		now, err := w.states.Load(ctx)
		if err == nil {
			err = made.CheckState(now)
		}
		if err != nil {
			return err
		}
		tried = watching.Failed
		w.monitor.Rest()
		return w.deploy(ctx, made, w.states)
	})
	if errors.Is(err, plan.ErrStale) {
		w.look(ctx)
		return nil
	}
	if now, loadErr := w.states.Load(context.WithoutCancel(ctx)); loadErr == nil {
		w.state = now
	}
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		w.fail(d, tried, fmt.Errorf("the plan %s could not be carried out: %w", aim(d), err))
		return nil
	}
	w.tell(event{Event: eventApplied, Excluded: made.Excluded, Serial: w.state.Serial, UploadBytes: made.UploadBytes(),
		Seconds: time.Since(begun).Seconds(), Message: "applied the plan " + aim(d)})
	w.failure = ""
	w.speeds.left(d.Leave)
	w.evade(d.Measure, devices)
	w.done(d, watching.Changed)
	return nil
}

func (w *watch) done(d watching.Decision, outcome watching.Outcome) {
	if outcome == watching.Changed || outcome == watching.Unchanged {
		w.measuring = time.Time{}
		w.planned()
	}
	w.machine.Done(time.Since(w.begun), d, outcome)
	w.metrics.done(outcome)
}

// unplanned is the outcome when there is no plan. Where a device kept it from being made,
// that speaks against the device; otherwise it is the configuration.
func unplanned(err error) watching.Outcome {
	var device *deployer.DeviceError
	if errors.As(err, &device) {
		return watching.Failed
	}
	return watching.NoPlan
}

// fail tells of a failure, unless it is the same as before, and waits.
func (w *watch) fail(d watching.Decision, outcome watching.Outcome, err error) {
	if text := err.Error(); w.failure != text {
		w.failure = text
		w.tell(event{Event: eventFailed, Excluded: w.excluded(d.Exclude), Message: text + "; what is deployed stays, and this is tried again ever more rarely"})
	}
	w.done(d, outcome)
}

// fingerprint tells whether files at the top of the folder changed, others than those that
// watch itself writes.
func (w *watch) fingerprint() string {
	entries, _ := os.ReadDir(w.dir)
	own := w.journalNames()
	var b strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && !strings.Contains(entry.Name(), statefile.StateFile) && !slices.Contains(own, entry.Name()) {
			fmt.Fprintln(&b, entry.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// journalNames are the files of the log that are at the top of the folder.
func (w *watch) journalNames() []string {
	dir, err1 := filepath.Abs(w.dir)
	log, err2 := filepath.Abs(w.flags.log)
	if w.flags.log == "" || err1 != nil || err2 != nil || filepath.Dir(log) != dir {
		return nil
	}
	name := filepath.Base(log)
	return []string{name, name + ".1"}
}
