package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/suggest"
	"github.com/edgeplan/edgeplan/statefile"
)

// Excluded are the addresses of nodes to leave out, as -exclude gives them, sorted and
// each once. A node is known when the configuration or the state has it; the
// configuration may be nil.
func Excluded(given []string, cfg *config.Config, prior *statefile.State) ([]string, error) {
	known := map[string]bool{}
	for node := range prior.Nodes {
		known[node] = true
	}
	if cfg != nil {
		for _, node := range cfg.Nodes {
			known[node.Address] = true
		}
	}
	excluded := map[string]bool{}
	for _, node := range given {
		if !known[node] {
			return nil, fmt.Errorf("-exclude=%s: neither the configuration nor the state has such a device. %s Mind the shell: -exclude 'node.pi[\"roof\"]'",
				node, suggest.Sentence(node, sortedKeys(known), "node"))
		}
		excluded[node] = true
	}
	return sortedKeys(excluded), nil
}

// Without is a configuration whose excluded nodes are as though they had enabled =
// false. Where it names no gateway, the first node that is left becomes it.
func Without(cfg *config.Config, excluded []string) *config.Config {
	if len(excluded) == 0 {
		return cfg
	}
	changed := *cfg
	changed.Nodes, changed.Models = slices.Clone(cfg.Nodes), slices.Clone(cfg.Models)
	for i, node := range changed.Nodes {
		if slices.Contains(excluded, node.Address) {
			away := *node
			away.Enabled = false
			changed.Nodes[i] = &away
		}
	}
	for i, model := range changed.Models {
		left := slices.DeleteFunc(slices.Clone(model.Gateways), func(node string) bool { return slices.Contains(excluded, node) })
		if len(left) > 0 && !slices.Contains(left, model.Gateway) {
			moved := *model
			moved.Gateway = left[0]
			changed.Models[i] = &moved
		}
	}
	return &changed
}

// checkGateways finds models whose gateway is left out: nothing enters or leaves them
// without it.
func (b *builder) checkGateways() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, model := range b.in.Config.Models {
		if !slices.Contains(b.in.Excluded, model.Gateway) {
			continue
		}
		why := "the configuration names it, so no other node takes its place: until it is back nothing can be done for this model, unless another gateway is named"
		if len(model.Gateways) > 0 {
			why = "no other node is left"
		}
		diags = append(diags, modelError(model, "Gateway is left out", fmt.Sprintf("its gateway %s is left out, and %s.", model.Gateway, why)))
	}
	return diags
}

// keepExcluded leaves in the desired state what the prior one knows of excluded nodes:
// what is there can be removed only once they are back.
func keepExcluded(desired, prior *statefile.State, excluded []string) {
	kept := maps.Clone(desired.Nodes)
	for _, node := range excluded {
		if known, ok := prior.Nodes[node]; ok {
			kept[node] = known
		}
	}
	desired.Nodes = kept
}
