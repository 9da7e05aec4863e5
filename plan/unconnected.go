package plan

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
)

// Unconnected warns of enabled nodes that no link or network connects with another.
func Unconnected(c *config.Config) hcl.Diagnostics {
	n := newNetwork(c)
	return n.unconnected(c)
}

func (n *network) unconnected(c *config.Config) hcl.Diagnostics {
	enabled := enabledNodes(c)
	if len(enabled) < 2 {
		return nil
	}
	connected := map[string]bool{}
	for p := range n.connections {
		connected[p.from], connected[p.to] = true, true
	}
	var diags hcl.Diagnostics
	for _, node := range enabled {
		if connected[node.Address] {
			continue
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  "Node is connected with no other",
			Detail:   fmt.Sprintf("No link or network says how %s reaches another node, so it can only run a whole model by itself. Add it to a network, or write a link.", node.Address),
			Subject:  node.Range.Ptr(),
		})
	}
	return diags
}
