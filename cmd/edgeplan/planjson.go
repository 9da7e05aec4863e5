package main

import (
	"encoding/json"

	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// planFormat is the version of the document that `plan -json` prints. A new field
// leaves it as it is; a field that goes or changes its meaning makes it the next.
const planFormat = 1

// planDocument is what `plan -json` and `show -json PLAN` print;
// docs/plan-json.md describes it.
type planDocument struct {
	FormatVersion   int                `json:"format_version"`
	EdgeplanVersion string             `json:"edgeplan_version"`
	Mode            plan.Mode          `json:"mode"`
	Targets         []string           `json:"targets"`
	Excluded        []string           `json:"excluded"`
	Refreshed       bool               `json:"refreshed"`
	Prior           priorDocument      `json:"prior"`
	Summary         summaryDocument    `json:"summary"`
	Models          []modelDocument    `json:"models"`
	Changes         []changeDocument   `json:"changes"`
	Outputs         []outputDocument   `json:"outputs"`
	Uploads         []uploadDocument   `json:"uploads"`
	Nodes           []nodeDocument     `json:"nodes"`
	Drift           []plan.Drift       `json:"drift"`
	Replacements    []plan.Replacement `json:"replacements"`
}

type priorDocument struct {
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"`
}

type summaryDocument struct {
	Add         int   `json:"add"`
	Change      int   `json:"change"`
	Destroy     int   `json:"destroy"`
	UploadBytes int64 `json:"upload_bytes"`
	// NeighbourBytes are those of UploadBytes that devices get from each other.
	NeighbourBytes int64 `json:"neighbour_bytes"`
	// Changes is what -detailed-exitcode tells: something to do or to record.
	Changes bool `json:"changes"`
}

// modelDocument is a desired pipeline, with the releases before and after.
type modelDocument struct {
	Address       string  `json:"address"`
	ReleaseBefore *string `json:"release_before"`
	ReleaseAfter  string  `json:"release_after"`
	plan.Model
}

type changeDocument struct {
	Address     string             `json:"address"`
	Model       string             `json:"model,omitempty"`
	Action      string             `json:"action"` // create, update, delete, replace
	Before      *placementDocument `json:"before"`
	After       *placementDocument `json:"after"`
	Reasons     []string           `json:"reasons"`
	UploadBytes int64              `json:"upload_bytes"`
}

// placementDocument is where a slice or a gateway is; a gateway without a stage has only a node.
type placementDocument struct {
	Node         string `json:"node"`
	FirstSegment *int   `json:"first_segment,omitempty"`
	LastSegment  *int   `json:"last_segment,omitempty"`
	FirstNode    string `json:"first_node,omitempty"`
	LastNode     string `json:"last_node,omitempty"`
	MemoryBytes  int64  `json:"memory_bytes,omitempty"`
}

type outputDocument struct {
	Name         string          `json:"name"`
	Action       string          `json:"action"`
	Before       json.RawMessage `json:"before"`
	After        json.RawMessage `json:"after"`
	AfterUnknown bool            `json:"after_unknown"`
}

// nodeDocument is a device that carries something after the plan is carried out.
type nodeDocument struct {
	Address      string  `json:"address"`
	Architecture string  `json:"architecture"`
	PublicKey    *string `json:"public_key"` // of its worker
	// PublicKeyUnknown: the key is made on the device, and known after apply.
	PublicKeyUnknown bool `json:"public_key_unknown"`
}

func (c *cli) printPlanJSON(p *plan.Plan) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(documentOf(p))
}

func documentOf(p *plan.Plan) planDocument {
	d := planDocument{
		FormatVersion: planFormat, EdgeplanVersion: version.Version, Mode: p.Mode, Targets: []string{}, Excluded: append([]string{}, p.Excluded...),
		Refreshed: p.Refreshed, Prior: priorDocument{p.Prior.Lineage, p.Prior.Serial},
		Models: []modelDocument{}, Changes: []changeDocument{}, Outputs: []outputDocument{}, Uploads: []uploadDocument{},
		Nodes: []nodeDocument{}, Drift: append([]plan.Drift{}, p.Drift...), Replacements: append([]plan.Replacement{}, p.Replacements...),
	}
	d.Summary.Add, d.Summary.Change, d.Summary.Destroy = tally(p.Changes)
	d.Summary.UploadBytes, d.Summary.NeighbourBytes, d.Summary.Changes = p.UploadBytes(), p.GivenBytes(), changes(p)
	for _, target := range p.Targets {
		d.Targets = append(d.Targets, "model."+target)
	}
	for _, m := range p.Models {
		d.Models = append(d.Models, modelOf(p, m))
	}
	for _, change := range p.Changes {
		d.Changes = append(d.Changes, changeOf(change))
	}
	for _, o := range p.Outputs {
		d.Outputs = append(d.Outputs, outputDocument{o.Name, actionWord(o.Action), o.Before, o.After, o.Unknown})
	}
	d.Uploads = append(d.Uploads, uploadsByNode(p)...)
	for _, address := range sortedKeys(p.Desired.Nodes) {
		d.Nodes = append(d.Nodes, nodeOf(address, p.Desired.Nodes[address]))
	}
	return d
}

func modelOf(p *plan.Plan, m plan.Model) modelDocument {
	d := modelDocument{Address: "model." + m.Name, ReleaseAfter: p.Desired.Models[m.Name].Release, Model: m}
	if before, ok := p.Prior.Models[m.Name]; ok {
		d.ReleaseBefore = &before.Release
	}
	return d
}

func changeOf(c plan.Change) changeDocument {
	return changeDocument{
		Address: c.Address, Model: c.Model, Action: actionWord(c.Action), Reasons: c.Reasons, UploadBytes: c.UploadBytes,
		Before: placementOf(c.BeforeNode, c.Before), After: placementOf(c.AfterNode, c.After),
	}
}

func placementOf(node string, slice *statefile.Slice) *placementDocument {
	if node == "" {
		return nil
	}
	d := &placementDocument{Node: node}
	if slice != nil {
		d.FirstSegment, d.LastSegment = &slice.FirstSegment, &slice.LastSegment
		d.FirstNode, d.LastNode, d.MemoryBytes = slice.FirstNode, slice.LastNode, slice.MemoryBytes
	}
	return d
}

func nodeOf(address string, n statefile.Node) nodeDocument {
	d := nodeDocument{Address: address, Architecture: n.Architecture, PublicKeyUnknown: n.PublicKey == ""}
	if n.PublicKey != "" {
		d.PublicKey = &n.PublicKey
	}
	return d
}

// actionWord is an action as JSON has it.
func actionWord(a plan.Action) string {
	return map[plan.Action]string{plan.Create: "create", plan.Update: "update", plan.Delete: "delete", plan.Replace: "replace"}[a]
}
