package deployer

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// bundle is one node's part of a release: what its folder holds.
type bundle struct {
	deployment string // its folder
	id         string
	blobs      []statefile.Blob // in order of name
	manifest   []byte
	peers      []byte
}

// newBundle gathers a node's part of what a deployment goes to.
func newBundle(d plan.Deployment, node, lineage string, keys map[string]string) (bundle, error) {
	manifest := d.Manifests[node]
	peers, err := encodePeers(manifest, keys)
	if err != nil {
		return bundle{}, err
	}
	return bundle{
		deployment: DeploymentName(d.Model, lineage), id: d.To.Release,
		blobs: plan.NodeBlobs(d.To, node), manifest: plan.EncodeManifest(manifest), peers: peers,
	}, nil
}

// encodePeers gives peers.json: the keys of the other nodes that a node talks to.
func encodePeers(m worker.Manifest, keys map[string]string) ([]byte, error) {
	peers := worker.Peers{}
	for _, peer := range neighbours(m) {
		if peer == m.Node {
			continue
		}
		if keys[peer] == "" {
			return nil, fmt.Errorf("the public key of the worker on %s is not known", peer)
		}
		peers[peer] = keys[peer]
	}
	content, err := json.MarshalIndent(peers, "", "  ") // sorts the names
	return append(content, '\n'), err
}

func neighbours(m worker.Manifest) []string {
	var list []string
	if m.Stage != nil {
		list = append(list, m.Stage.Previous.Node, m.Stage.Next.Node)
	}
	if m.Gateway != nil {
		list = append(list, m.Gateway.First.Node, m.Gateway.Last.Node)
	}
	return list
}

// sums is the content of the file of digests.
func (b bundle) sums() []byte {
	var out bytes.Buffer
	for _, blob := range b.blobs {
		fmt.Fprintf(&out, "%s  %s\n", blob.Digest, blob.Name)
	}
	return out.Bytes()
}

// small are the files that are written, not linked.
func (b bundle) small() map[string][]byte {
	return map[string][]byte{sumsFile: b.sums(), worker.ManifestFile: b.manifest, worker.PeersFile: b.peers}
}
