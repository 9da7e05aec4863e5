package plan

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/statefile"
)

// OutputChange is an output whose recorded value changes. Sensitive outputs are
// not recorded, and so are never among them.
type OutputChange struct {
	Action Action          `json:"-"`
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Unknown says that the value is known only once another model is deployed.
	Unknown bool `json:"unknown,omitempty"`
}

// outputs evaluates the configuration's outputs with what the models came to.
func (b *builder) outputs() hcl.Diagnostics {
	outputs, diags := b.in.Config.EvalOutputs(results(b.desired.Models))
	for _, output := range outputs {
		if output.Sensitive {
			continue
		}
		if !output.Value.IsWhollyKnown() {
			b.keepOutput(output.Name)
			continue
		}
		value, err := encodeOutput(output)
		if err != nil {
			diags = append(diags, err)
			continue
		}
		b.desired.Outputs[output.Name] = value
	}
	return diags
}

// keepOutput leaves an output at its recorded value: what it depends on is not
// deployed and not planned.
func (b *builder) keepOutput(name string) {
	b.unknown = append(b.unknown, name)
	if before, ok := b.in.Prior.Outputs[name]; ok {
		b.desired.Outputs[name] = before
	}
}

// dropOutputs drops from a state that keeps some of the models of another what is known
// with all of these only.
func dropOutputs(kept, prior *statefile.State, cfg *config.Config) {
	if len(kept.Models) == 0 {
		kept.Outputs = map[string]json.RawMessage{}
	}
	if cfg == nil {
		return
	}
	known := func(s *statefile.State) map[string]bool {
		names := map[string]bool{}
		outputs, _ := cfg.EvalOutputs(results(s.Models)) // a fault is no reason to keep what is destroyed
		for _, output := range outputs {
			names[output.Name] = output.Value.IsWhollyKnown()
		}
		return names
	}
	before, after := known(prior), known(kept)
	for name := range kept.Outputs {
		if before[name] && !after[name] {
			delete(kept.Outputs, name)
		}
	}
}

func encodeOutput(output config.Output) (json.RawMessage, *hcl.Diagnostic) {
	value, err := ctyjson.Marshal(output.Value, output.Value.Type())
	if err != nil {
		return nil, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Output cannot be recorded",
			Detail:   "output." + output.Name + " has a value that JSON cannot hold: " + err.Error(),
		}
	}
	return value, nil
}

// results are what outputs may ask of the models of a state.
func results(models map[string]statefile.Model) map[string]config.ModelResult {
	all := map[string]config.ModelResult{}
	for name, model := range models {
		all[name] = config.ModelResult{
			Throughput: model.Prediction.ThroughputPerSecond,
			Latency:    model.Prediction.LatencySeconds,
			Release:    model.Release,
		}
	}
	return all
}

// outputChanges compares recorded outputs. Those in unknown cannot be compared.
func outputChanges(from, to *statefile.State, unknown []string) []OutputChange {
	names := map[string]bool{}
	for name := range from.Outputs {
		names[name] = true
	}
	for name := range to.Outputs {
		names[name] = true
	}
	open := map[string]bool{}
	for _, name := range unknown {
		names[name], open[name] = true, true
	}
	var list []OutputChange
	for _, name := range sortedKeys(names) {
		c := OutputChange{Name: name, Before: from.Outputs[name], After: to.Outputs[name], Unknown: open[name]}
		if c.Action = outputAction(c); c.Action != NoOp {
			list = append(list, c)
		}
	}
	return list
}

func outputAction(c OutputChange) Action {
	switch {
	case c.Before == nil:
		return Create
	case c.After == nil:
		return Delete
	case c.Unknown || string(c.Before) != string(c.After):
		return Update
	}
	return NoOp
}
