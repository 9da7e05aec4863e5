package plan

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/statefile"
)

// Refresh makes the plan that changes no device: it tells what was found on
// them, and takes in what a state can hold of it: other keys of workers, and, from
// the configuration, outputs and how to reach devices. The rest is asked anew each time.
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
	for _, found := range in.Drift {
		if node, ok := b.desired.Nodes[found.Node]; ok && found.PublicKey != "" {
			node.PublicKey = found.PublicKey
			b.desired.Nodes[found.Node] = node
		}
	}
	diags := b.outputs()
	p := &Plan{Mode: RefreshOnly, Prior: in.Prior, Desired: b.desired, Blobs: b.blobs, Drift: in.Drift, Refreshed: in.Refreshed, Excluded: in.Excluded,
		Configuration: configurationDigests(in.Config)}
	p.derive()
	p.Outputs = outputChanges(p.Prior, p.Desired, b.unknown)
	return p, diags
}
