package plan

import (
	"maps"
	"slices"

	"github.com/edgeplan/edgeplan/statefile"
)

// Uploads are the blobs that nodes lack, by node and in order of name. A node
// holds what was found on it, or else what the prior state put there; where a
// slice is replaced that counts for nothing.
func Uploads(p *Plan, deployments []Deployment, held map[string]map[string]int64) []Upload {
	have := holdings(p, deployments, held)
	wanted := map[string][]statefile.Blob{}
	for _, d := range deployments {
		for _, node := range releaseNodesTo(d) {
			wanted[node] = append(wanted[node], NodeBlobs(d.To, node)...)
		}
	}
	var list []Upload
	for _, node := range sortedKeys(wanted) {
		listed := map[string]bool{}
		for _, blob := range wanted[node] {
			size, there := have[node][blob.Digest]
			if (!there || size != blob.Size) && !listed[blob.Digest] {
				listed[blob.Digest] = true
				list = append(list, Upload{Node: node, Blob: blob})
			}
		}
	}
	return list
}

// holdings are the blobs on each node, sizes by digest.
func holdings(p *Plan, deployments []Deployment, held map[string]map[string]int64) map[string]map[string]int64 {
	have := recorded(p.Prior)
	maps.Copy(have, held)
	for _, d := range deployments {
		for _, node := range d.Replace {
			have[node] = nil
		}
	}
	return have
}

// trading is between which nodes blobs can move.
type trading struct {
	nodes []string                    // sorted: those that a release comes to or leaves, unless what is there is not trusted
	have  map[string]map[string]int64 // blobs on each, sizes by digest
	able  map[string]bool             // those that can take a worker program: they have one, or a shell for it
}

func tradingOf(p *Plan, deployments []Deployment, in Input) trading {
	nodes := map[string]bool{}
	for _, d := range deployments {
		for _, node := range slices.Concat(releaseNodesTo(d), heldBy(d.From, in.Held)) {
			nodes[node] = true
		}
	}
	for _, d := range deployments {
		for _, node := range d.Replace {
			delete(nodes, node)
		}
	}
	t := trading{sortedKeys(nodes), holdings(p, deployments, in.Held), map[string]bool{}}
	maps.Copy(t.able, in.Fetchers)
	for _, m := range p.Prior.Models {
		for node := range m.Programs {
			program, ok := WorkerProgram(&m, node)
			size, there := t.have[node][program.Digest]
			t.able[node] = t.able[node] || ok && there && size == program.Size
		}
	}
	return t
}

// heldBy are the nodes of a release, nil for none, that told what they hold.
func heldBy(m *statefile.Model, held map[string]map[string]int64) (nodes []string) {
	if m != nil {
		nodes = slices.DeleteFunc(ReleaseNodes(m), func(node string) bool { return held[node] == nil })
	}
	return nodes
}

func releaseNodesTo(d Deployment) []string {
	if d.To == nil {
		return nil
	}
	return ReleaseNodes(d.To)
}

// recorded are the blobs on each node by the prior state: sizes by digest.
func recorded(prior *statefile.State) map[string]map[string]int64 {
	have := map[string]map[string]int64{}
	for _, model := range prior.Models {
		for _, node := range ReleaseNodes(&model) {
			if have[node] == nil {
				have[node] = map[string]int64{}
			}
			for _, blob := range NodeBlobs(&model, node) {
				have[node][blob.Digest] = blob.Size
			}
		}
	}
	return have
}
