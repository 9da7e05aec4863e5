package plan

import (
	"slices"

	"github.com/edgeplan/edgeplan/statefile"
)

// changes are the lines of the diff: every slice of every deployment, a gateway
// that runs no stage, and nodes to clean.
func changes(p *Plan) []Change {
	var list []Change
	for _, d := range p.Deployments {
		list = append(list, sliceChanges(d, p)...)
		if change, ok := gatewayChange(d, p); ok {
			list = append(list, change)
		}
	}
	countUploads(list, p.Uploads)
	return append(list, leftovers(p)...)
}

// leftovers are the nodes that the prior state knows but no release of it or of
// the desired one: a deployment that failed has put files there.
func leftovers(p *Plan) []Change {
	carrying := map[string]bool{}
	for _, m := range p.Prior.Models {
		for _, node := range ReleaseNodes(&m) {
			carrying[node] = true
		}
	}
	var list []Change
	for _, node := range sortedKeys(p.Prior.Nodes) {
		if _, wanted := p.Desired.Nodes[node]; !wanted && !carrying[node] {
			list = append(list, Change{Action: Delete, Address: node, BeforeNode: node, Reasons: []string{leftoverReason(p, node)}})
		}
	}
	return list
}

// leftoverReason is why there is something on a node that carries no release.
func leftoverReason(p *Plan, node string) string {
	for name := range p.Prior.Earlier {
		if slices.Contains(nodesOfModel(p.Prior, name), node) {
			return "it has only an earlier release of model." + name + ", which is no longer kept"
		}
	}
	return "left over from a deployment that did not finish"
}

// countUploads gives each upload to the first change on its node.
func countUploads(list []Change, uploads []Upload) {
	for _, u := range uploads {
		i := slices.IndexFunc(list, func(c Change) bool { return c.AfterNode == u.Node && needs(c, u.Blob) })
		if i < 0 {
			i = slices.IndexFunc(list, func(c Change) bool { return c.AfterNode == u.Node })
		}
		if i >= 0 {
			list[i].UploadBytes += u.Blob.Size
		}
	}
}

func needs(c Change, blob statefile.Blob) bool {
	if c.After == nil {
		return false
	}
	return c.After.Graph.Digest == blob.Digest ||
		slices.ContainsFunc(c.After.Weights, func(w statefile.Blob) bool { return w.Digest == blob.Digest })
}

func sliceChanges(d Deployment, p *Plan) []Change {
	before, after := slicesOf(d.From), slicesOf(d.To)
	var list []Change
	for i := range max(len(before), len(after)) {
		change := Change{Model: d.Model, Address: sliceAddress(d.Model, i)}
		if i < len(before) {
			change.Before, change.BeforeNode = &before[i], before[i].Node
		}
		if i < len(after) {
			change.After, change.AfterNode = &after[i], after[i].Node
		}
		change.Action = actionOf(change, d)
		if change.Reasons = reasons(change, d, p); len(change.Reasons) > 0 {
			list = append(list, change)
		}
	}
	return list
}

func slicesOf(m *statefile.Model) []statefile.Slice {
	if m == nil {
		return nil
	}
	return m.Slices
}

func actionOf(c Change, d Deployment) Action {
	switch {
	case c.BeforeNode == "":
		return Create
	case c.AfterNode == "":
		return Delete
	case c.BeforeNode != c.AfterNode, slices.Contains(d.Replace, c.AfterNode):
		return Replace
	}
	return Update
}

// gatewayChange is the line of a gateway without a stage, before or after.
func gatewayChange(d Deployment, p *Plan) (Change, bool) {
	before, after := loneGateway(d.From), loneGateway(d.To)
	if before == "" && after == "" {
		return Change{}, false
	}
	change := Change{Model: d.Model, Address: "gateway." + d.Model, BeforeNode: before, AfterNode: after}
	change.Action = actionOf(change, d)
	switch {
	case p.Mode == RollingBack:
		change.Reasons = []string{backReason(d)}
	case change.Action == Create && d.From != nil:
		change.Reasons = []string{"the gateway runs no stage"}
	case change.Action == Create:
		change.Reasons = []string{createReason(d)}
	case change.Action == Delete:
		change.Reasons = deleteReasons(change, d, p)
	case change.BeforeNode != change.AfterNode:
		change.Reasons = []string{"the gateway moved"}
	default:
		change.Reasons = keptReasons(change, d, p)
	}
	return change, len(change.Reasons) > 0
}

// loneGateway is the gateway node of a model when no stage runs there.
func loneGateway(m *statefile.Model) string {
	if m == nil {
		return ""
	}
	for _, slice := range m.Slices {
		if slice.Node == m.Gateway {
			return ""
		}
	}
	return m.Gateway
}
