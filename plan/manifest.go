package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// releaseDigits is how much of the digest of all manifests makes a release id.
const releaseDigits = 12

// Manifests derives what each node's worker is told from a model of the state,
// by node address. The gateway is among them even when it runs no stage.
func Manifests(name string, m *statefile.Model, nodes map[string]statefile.Node) map[string]worker.Manifest {
	b := manifestBuilder{name: name, model: m, nodes: nodes}
	manifests := map[string]worker.Manifest{}
	for i, slice := range m.Slices {
		manifest := b.manifest(slice.Node, slice.Port)
		manifest.Stage = b.stage(i)
		manifests[slice.Node] = manifest
	}
	gateway, ok := manifests[m.Gateway]
	if !ok {
		gateway = b.manifest(m.Gateway, m.GatewayPort)
	}
	gateway.Gateway = b.gateway()
	manifests[m.Gateway] = gateway
	return manifests
}

type manifestBuilder struct {
	name  string
	model *statefile.Model
	nodes map[string]statefile.Node
}

func (b manifestBuilder) manifest(node string, port int) worker.Manifest {
	return worker.Manifest{
		FormatVersion: worker.ManifestVersion,
		Model:         b.name,
		Release:       b.model.Release,
		Node:          node,
		Listen:        b.address(node, port),
		Queue:         b.model.Queue,
		MemoryBytes:   WorkerBytes(b.model, node),
		Transfer:      transfer.Form(b.model.Transfer),
	}
}

func (b manifestBuilder) stage(i int) *worker.Stage {
	slice := b.model.Slices[i]
	return &worker.Stage{
		Index:        i,
		Count:        len(b.model.Slices),
		Optimization: b.model.Optimization,
		Threads:      b.model.Threads,
		Inputs:       slice.Inputs,
		Outputs:      slice.Outputs,
		Previous:     b.peer(i - 1),
		Next:         b.peer(i + 1),
	}
}

func (b manifestBuilder) gateway() *worker.Gateway {
	return &worker.Gateway{
		Inputs:         b.model.Inputs,
		Outputs:        b.model.Outputs,
		First:          b.peer(0),
		Last:           b.peer(len(b.model.Slices) - 1),
		Stages:         len(b.model.Slices),
		Requests:       int(GatewayRequests(tensor.TotalBytes(b.model.Inputs) + tensor.TotalBytes(b.model.Outputs))),
		TimeoutSeconds: b.model.TimeoutSeconds,
		Access:         (*worker.Access)(b.model.Access),
	}
}

// peer is the worker of stage i; the gateway stands before the first stage and
// behind the last.
func (b manifestBuilder) peer(i int) worker.Peer {
	node, port := b.model.Gateway, b.model.GatewayPort
	if i >= 0 && i < len(b.model.Slices) {
		node, port = b.model.Slices[i].Node, b.model.Slices[i].Port
	}
	return worker.Peer{Node: node, Address: b.address(node, port)}
}

func (b manifestBuilder) address(node string, port int) string {
	return net.JoinHostPort(b.nodes[node].PipelineAddress, strconv.Itoa(port))
}

// EncodeManifest gives the bytes of manifest.json: the same manifest always
// gives the same bytes.
func EncodeManifest(m worker.Manifest) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		panic(fmt.Sprintf("plan: a manifest always encodes: %v", err))
	}
	return out.Bytes()
}

// ReleaseID is the id of the release that a model of the state describes: a
// prefix of the digest of all its manifests and of the files they run.
func ReleaseID(name string, m *statefile.Model, nodes map[string]statefile.Node) string {
	unnamed := *m
	unnamed.Release = ""
	manifests := Manifests(name, &unnamed, nodes)
	digest := sha256.New()
	for _, node := range sortedKeys(manifests) {
		digest.Write(EncodeManifest(manifests[node]))
		for _, blob := range NodeBlobs(&unnamed, node) {
			fmt.Fprintf(digest, "%s %s\n", blob.Digest, blob.Name)
		}
	}
	return hex.EncodeToString(digest.Sum(nil))[:releaseDigits]
}

// NodeBlobs are the files of a model's release on one node: program, engine,
// graph and weights, in order of name.
func NodeBlobs(m *statefile.Model, node string) []statefile.Blob {
	blobs := slices.Clone(m.Programs[node])
	for _, slice := range m.Slices {
		if slice.Node == node {
			blobs = append(append(blobs, slice.Graph), slice.Weights...)
		}
	}
	slices.SortFunc(blobs, func(a, b statefile.Blob) int {
		return strings.Compare(a.Name, b.Name)
	})
	return blobs
}

// ReleaseNodes are the nodes that carry a part of a model's release, sorted:
// every stage's and the gateway.
func ReleaseNodes(m *statefile.Model) []string {
	nodes := map[string]bool{m.Gateway: true}
	for _, slice := range m.Slices {
		nodes[slice.Node] = true
	}
	return sortedKeys(nodes)
}
