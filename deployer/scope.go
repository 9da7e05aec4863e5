package deployer

import (
	"maps"
	"slices"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// receiving are the nodes that get a part of a release.
func (a *applying) receiving() []string {
	nodes := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.To != nil {
			for _, node := range plan.ReleaseNodes(d.To) {
				nodes[node] = true
			}
		}
	}
	return sortedKeys(nodes)
}

// leaving are the nodes that only lose something: a part of a release, or
// themselves.
func (a *applying) leaving() []string {
	nodes := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.From != nil {
			for _, node := range plan.ReleaseNodes(d.From) {
				_, nodes[node] = a.plan.Prior.Nodes[node] // one that is not known has been cleaned
			}
		}
	}
	maps.DeleteFunc(nodes, func(_ string, known bool) bool { return !known })
	for name, releases := range a.plan.Prior.Earlier {
		for i := range releases {
			if !keeps(a.plan.Desired.Earlier[name], releases[i].Release) && a.plan.Desired.Models[name].Release != releases[i].Release {
				a.addKnown(nodes, &releases[i])
			}
		}
	}
	for node := range a.plan.Prior.Nodes {
		if _, stays := a.plan.Desired.Nodes[node]; !stays {
			nodes[node] = true
		}
	}
	for _, node := range append(a.receiving(), a.plan.Excluded...) {
		delete(nodes, node)
	}
	return sortedKeys(nodes)
}

// addKnown adds the nodes of a release that the state knows how to reach.
func (a *applying) addKnown(nodes map[string]bool, m *statefile.Model) {
	for _, node := range plan.ReleaseNodes(m) {
		if _, known := a.plan.Prior.Nodes[node]; known {
			nodes[node] = true
		}
	}
}

func keeps(releases []statefile.Model, id string) bool {
	return slices.ContainsFunc(releases, func(m statefile.Model) bool { return m.Release == id })
}

// wanted are all blobs of a node's new releases, each once.
func (a *applying) wanted(node string) []statefile.Blob {
	var list []statefile.Blob
	seen := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.To == nil || !slices.Contains(plan.ReleaseNodes(d.To), node) {
			continue
		}
		for _, blob := range plan.NodeBlobs(d.To, node) {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				list = append(list, blob)
			}
		}
	}
	return list
}

// present leaves out devices that cannot be reached.
func (a *applying) present(nodes []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(node string) bool { return a.away[node] != nil || a.sites[node] == nil })
}
