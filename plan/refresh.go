package plan

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/statefile"
)

// Refresh makes the plan that changes no device: it tells what was found on
// them, and brings the state's outputs and its knowledge of how to reach them up
// to the configuration. What was found is asked anew each time and not recorded.
func Refresh(in Input) (*Plan, hcl.Diagnostics) {
	b := newBuilder(in)
	b.desired = statefile.Clone(in.Prior)
	b.desired.Outputs = map[string]json.RawMessage{}
	for address, node := range b.desired.Nodes {
		if configured, ok := b.nodes[address]; ok {
			node.SSH = statefile.SSH(configured.SSH)
			b.desired.Nodes[address] = node
		}
	}
	diags := b.outputs()
	p := &Plan{Mode: RefreshOnly, Prior: in.Prior, Desired: b.desired, Blobs: b.blobs, Drift: in.Drift, Refreshed: in.Refreshed,
		Configuration: configurationDigests(in.Config)}
	p.derive()
	p.Outputs = outputChanges(p.Prior, p.Desired, b.unknown)
	return p, diags
}
