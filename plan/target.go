package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/suggest"
	"github.com/edgeplan/edgeplan/statefile"
)

// Replacement is a slice to push and start again although it is as it should be.
type Replacement struct {
	Address string `json:"address"` // slice.resnet50[0]
	Model   string `json:"model"`
	Node    string `json:"node"` // where it is deployed
}

// parseTargets reads -target values. A release is of a whole pipeline, so models
// are what can be targeted. The known models are those of the configuration and
// of the state.
func parseTargets(targets []string, known map[string]bool) ([]string, error) {
	names := map[string]bool{}
	for _, target := range targets {
		kind, name, _ := strings.Cut(target, ".")
		switch kind {
		case "slice", "gateway":
			return nil, fmt.Errorf("-target=%s: a release is of the whole pipeline, so no part of it can be changed by itself; target its model: -target=model.%s",
				target, strings.Split(name, "[")[0])
		case "node", "link", "network":
			return nil, fmt.Errorf("-target=%s: a device carries only what the pipelines put there; target a model that runs on it: -target=%s",
				target, strings.Join(modelAddresses(known), " or -target="))
		}
		if kind != "model" || !known[name] {
			return nil, fmt.Errorf("-target=%s: neither the configuration nor the state has it. %s", target, suggest.Sentence(target, modelAddresses(known), "model"))
		}
		names[name] = true
	}
	return sortedKeys(names), nil
}

func modelAddresses(known map[string]bool) []string {
	var all []string
	for _, name := range sortedKeys(known) {
		all = append(all, "model."+name)
	}
	return all
}

// parseReplacements reads -replace values, slices and models of the state.
func parseReplacements(given []string, prior *statefile.State, targets []string) ([]Replacement, error) {
	known := map[string]Replacement{}
	for name, m := range prior.Models {
		for i, slice := range m.Slices {
			address := sliceAddress(name, i)
			known[address] = Replacement{address, name, slice.Node}
		}
	}
	chosen := map[string]Replacement{}
	for _, address := range given {
		found := matching(address, known)
		if len(found) == 0 {
			return nil, fmt.Errorf("-replace=%s: no such slice or model is deployed. %s", address, suggest.Sentence(address, sortedKeys(known), "slice"))
		}
		for _, r := range found {
			if len(targets) > 0 && !slices.Contains(targets, r.Model) {
				return nil, fmt.Errorf("-replace=%s: -target leaves model.%s out; target it as well, or leave -target out", address, r.Model)
			}
			chosen[r.Address] = r
		}
	}
	return slices.SortedFunc(maps.Values(chosen), func(a, b Replacement) int { return strings.Compare(a.Address, b.Address) }), nil
}

// matching are the slices that an address means: itself, or all of a model.
func matching(address string, known map[string]Replacement) []Replacement {
	if r, ok := known[address]; ok {
		return []Replacement{r}
	}
	var found []Replacement
	for _, r := range known {
		if address == "model."+r.Model {
			found = append(found, r)
		}
	}
	return found
}

func sliceAddress(model string, index int) string {
	return "slice." + model + "[" + strconv.Itoa(index) + "]"
}

// CheckOptions finds targets and slices to replace that there are not, and those
// that cannot be planned for. Build fails on them too.
func (in *Input) CheckOptions() error {
	_, _, err := in.options()
	return err
}

func (in *Input) options() (targets []string, replace []Replacement, err error) {
	known := map[string]bool{}
	for _, model := range in.Config.Models {
		known[model.Name] = true
	}
	for name := range in.Prior.Models {
		known[name] = true
	}
	if targets, err = parseTargets(in.Targets, known); err != nil {
		return nil, nil, err
	}
	replace, err = parseReplacements(in.Replace, in.Prior, targets)
	return targets, replace, err
}

// choose reads what limits and forces the plan.
func (b *builder) choose() hcl.Diagnostics {
	targets, replace, err := b.in.options()
	if err != nil {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Option cannot be planned", Detail: err.Error()}}
	}
	b.in.Targets, b.replace = targets, replace
	if len(targets) > 0 {
		b.keepOthers()
	}
	return nil
}

// keepOthers leaves models that are not targeted as they are deployed, and what
// the state knows of their devices.
func (b *builder) keepOthers() {
	cfg := *b.in.Config
	cfg.Models = slices.DeleteFunc(slices.Clone(cfg.Models), func(m *config.Model) bool { return !slices.Contains(b.in.Targets, m.Name) })
	b.in.Config = &cfg
	b.kept = keptOf(b.in.Prior, b.in.Targets)
	b.desired.Models, b.desired.Nodes = maps.Clone(b.kept.Models), maps.Clone(b.kept.Nodes)
}

// keptNodes are those that run a stage of a model that the plan leaves alone.
func (b *builder) keptNodes() map[string]bool {
	nodes := map[string]bool{}
	if b.kept == nil {
		return nodes
	}
	for _, m := range b.kept.Models {
		for _, slice := range m.Slices {
			nodes[slice.Node] = true
		}
	}
	return nodes
}

// placeBeside places the models where those that the plan leaves alone run no stage
// and, only where that has no answer, also beside their stages. What these keep busy is
// not counted then, and that is said.
func (b *builder) placeBeside(ctx context.Context) ([]*placed, hcl.Diagnostics) {
	models, diags := b.placeModels(ctx)
	if !diags.HasErrors() || len(b.keptNodes()) == 0 {
		return models, diags
	}
	b.sharing = true
	models, diags = b.placeModels(ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	return models, append(diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning,
		Summary:  "Prediction leaves out other models",
		Detail:   "There is no room beside the models that are not targeted, so stages are placed on their devices as well. What those keep busy there is not counted; a plan without -target counts it.",
	})
}

// keptOf is what a state has beside the targeted models: devices that carry only
// those are not among it.
func keptOf(prior *statefile.State, targets []string) *statefile.State {
	kept := statefile.Clone(prior)
	for _, target := range targets {
		delete(kept.Models, target)
		delete(kept.Earlier, target)
	}
	carrying := map[string]bool{}
	for name := range kept.Models {
		for _, node := range nodesOfModel(kept, name) {
			carrying[node] = true
		}
	}
	for _, target := range targets {
		for _, node := range nodesOfModel(prior, target) {
			if !carrying[node] {
				delete(kept.Nodes, node)
			}
		}
	}
	return kept
}

// keptBytes is what workers of models that the plan leaves alone use on a node.
func (b *builder) keptBytes(node string) int64 {
	if b.kept == nil {
		return 0
	}
	var total int64
	for _, m := range b.kept.Models {
		total += WorkerBytes(&m, node)
	}
	return total
}
