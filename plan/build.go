package plan

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/statefile"
)

// Input is everything a plan is made of.
type Input struct {
	Config *config.Config
	Chains map[string]*onnx.Chain // by model name
	// Architectures of nodes whose configuration does not say, by address.
	Architectures map[string]string
	// Workers and Engines by architecture. An architecture without an engine
	// runs no stage.
	Workers, Engines map[string]Program
	Prior            *statefile.State
	// Drift found on the devices, where they were asked (Refreshed); a model with
	// drift is deployed again.
	Drift     []Drift
	Refreshed bool
	// Held are the blobs found on each node that was asked, sizes by digest. Of
	// the other nodes the prior state tells.
	Held map[string]map[string]int64
	// Fetchers are nodes that were found able to get a worker program from another node,
	// though they have none yet.
	Fetchers map[string]bool
	// Replan takes a better placement even within the replan threshold.
	Replan bool
	// Targets limit the plan to some models, as "model.resnet50"; the others stay
	// as they are deployed.
	Targets []string
	// Replace names slices, as "slice.resnet50[0]", or models whose files are
	// pushed again and whose workers are started again.
	Replace []string
	// Excluded are nodes that are left out for now, sorted: Config is Without them, they
	// are not asked and not changed, and the state goes on to remember them.
	Excluded []string
	// Version of edgeplan, recorded in the state.
	Version string
	// Explain asks for Model.Explain, for which many changed problems are solved.
	Explain bool
}

// Program is a file that runs on devices: a worker or an engine.
type Program struct {
	Path   string // on the operator's machine
	Digest string // sha256, 64 hex digits
	Size   int64  // bytes
}

// Platforms are the architectures of the enabled nodes, sorted.
func (in *Input) Platforms() []string {
	used := map[string]bool{}
	for _, node := range in.Config.Nodes {
		if node.Enabled {
			used[in.architecture(node)] = true
		}
	}
	return sortedKeys(used)
}

func (in *Input) architecture(n *config.Node) string {
	if n.Architecture != "" {
		return n.Architecture
	}
	return in.Architectures[n.Address]
}

// Build makes the plan that takes the prior state to what the configuration asks for.
// Diagnostics carry places in the configuration; with errors the plan is nil.
func Build(ctx context.Context, in Input) (*Plan, hcl.Diagnostics) {
	b := newBuilder(in)
	diags := append(b.choose(), in.Config.CheckMeasured(b.runsStages)...)
	if diags.HasErrors() {
		return nil, diags // a network without a bandwidth would seem to connect nothing
	}
	diags = append(diags, b.checkNodes()...)
	diags = append(diags, b.checkGateways()...)
	if diags.HasErrors() {
		return nil, diags
	}
	diags = append(diags, b.checkProfiles()...)
	models, faults := b.placeBeside(ctx)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	for _, placed := range models {
		diags = append(diags, b.add(ctx, placed)...)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	diags = append(diags, b.outputs()...)
	if diags.HasErrors() {
		return nil, diags
	}
	return b.finish(), diags
}

// Destroy makes the plan that removes everything the state knows of, but for what is
// on excluded nodes.
func Destroy(prior *statefile.State, excluded ...string) *Plan {
	desired := &statefile.State{
		FormatVersion: statefile.FormatVersion,
		Lineage:       prior.Lineage,
		Serial:        prior.Serial,
		Nodes:         map[string]statefile.Node{},
		Models:        map[string]statefile.Model{},
		Outputs:       map[string]json.RawMessage{},
	}
	keepExcluded(desired, prior, excluded)
	p := &Plan{Mode: Destroying, Prior: prior, Desired: desired, Excluded: excluded, Blobs: blobs{}}
	p.derive()
	return p
}

// DestroyTargets makes the plan that removes some models, as "model.resnet50",
// and leaves the others as they are; without targets it is Destroy. The configuration
// tells which outputs go with the models; with nil, they all stay while a model does.
func DestroyTargets(prior *statefile.State, cfg *config.Config, targets []string, excluded ...string) (*Plan, error) {
	p := Destroy(prior, excluded...)
	if len(targets) == 0 {
		return p, nil
	}
	known := map[string]bool{}
	for name := range prior.Models {
		known[name] = true
	}
	names, err := parseTargets(targets, known)
	if err != nil {
		return nil, err
	}
	p.Targets, p.Desired = names, keptOf(prior, names)
	dropOutputs(p.Desired, prior, cfg)
	keepExcluded(p.Desired, prior, excluded)
	p.derive()
	return p, nil
}

// builder gathers the desired state, model by model.
type builder struct {
	in      Input
	nodes   map[string]*config.Node // enabled, by address
	network network
	desired *statefile.State
	models  []Model
	blobs   blobs
	slots   slots
	kept    *statefile.State // what the plan leaves alone; nil without targets
	sharing bool             // place also on the devices of the models that are left alone
	replace []Replacement
	unknown []string // outputs that depend on models not deployed and not planned

	profiles map[[2]string]*profiled // by node and model, once asked for
	memories map[string]memoryFit    // by model, once asked for
}

func newBuilder(in Input) *builder {
	b := &builder{
		in:      in,
		nodes:   map[string]*config.Node{},
		desired: newDesired(in),
		blobs:   blobs{},
		network: newNetwork(in.Config),
		slots:   newSlots(in.Prior),

		profiles: map[[2]string]*profiled{},
		memories: map[string]memoryFit{},
	}
	for _, node := range in.Config.Nodes {
		if node.Enabled {
			b.nodes[node.Address] = node
		}
	}
	b.takeClients()
	return b
}

func newDesired(in Input) *statefile.State {
	return &statefile.State{
		FormatVersion:   statefile.FormatVersion,
		EdgeplanVersion: in.Version,
		Serial:          in.Prior.Serial,
		Lineage:         in.Prior.Lineage,
		Nodes:           map[string]statefile.Node{},
		Models:          map[string]statefile.Model{},
		Outputs:         map[string]json.RawMessage{},
	}
}

// add describes a placed model and keeps it in the desired state.
func (b *builder) add(ctx context.Context, placed *placed) hcl.Diagnostics {
	model := placed.model
	desired, err := b.describe(placed)
	if err != nil {
		return hcl.Diagnostics{modelError(model, "Model cannot be sliced", err.Error())}
	}
	for _, node := range ReleaseNodes(desired) {
		b.desired.Nodes[node] = b.node(node)
	}
	if err := b.settle(model.Name, desired); err != nil {
		return hcl.Diagnostics{modelError(model, "Model cannot be deployed", err.Error())}
	}
	b.desired.Models[model.Name] = *desired
	b.models = append(b.models, b.report(placed, desired))
	if err := b.explain(ctx, placed); err != nil {
		return hcl.Diagnostics{modelError(model, "Placement cannot be explained", err.Error())}
	}
	return nil
}

// node is what the state records of a configured node. The key of its worker
// stays known while the node stays the same device.
func (b *builder) node(address string) statefile.Node {
	n := b.nodes[address]
	recorded := statefile.Node{
		SSH:             statefile.SSH(n.SSH),
		Path:            n.Path,
		Architecture:    b.in.architecture(n),
		PipelineAddress: n.PipelineAddress,
		PipelinePort:    n.PipelinePort,
	}
	if prior, ok := b.in.Prior.Nodes[address]; ok {
		recorded.PublicKey = prior.PublicKey
	}
	return recorded
}

// finish turns the desired state into a plan.
func (b *builder) finish() *Plan {
	p := &Plan{Mode: Normal, Prior: b.in.Prior, Desired: b.desired, Models: b.models, Blobs: b.blobs,
		Drift: b.in.Drift, Refreshed: b.in.Refreshed, Replacements: b.replace, Targets: b.in.Targets, Excluded: b.in.Excluded,
		Sources: map[string]Source{}, Configuration: configurationDigests(b.in.Config), configured: map[string]bool{}}
	for node := range b.nodes {
		p.configured[node] = true
	}
	for _, model := range b.in.Config.Models {
		p.Sources[model.Name] = Source{Path: model.Source, Dimensions: model.Dimensions}
	}
	for _, node := range b.in.Config.Nodes {
		if _, known := b.in.Prior.Nodes[node.Address]; known && !node.Enabled && !slices.Contains(b.in.Excluded, node.Address) {
			p.Disabled = append(p.Disabled, node.Address)
		}
	}
	b.keepEarlier()
	keepExcluded(b.desired, b.in.Prior, b.in.Excluded)
	deployments := deployments(p)
	for i := range p.Models {
		p.Models[i].Switch = b.switchOf(deployments, p.Models[i].Name)
	}
	p.Uplink = b.in.Config.Settings.Uplink
	p.Uploads = Uploads(p, deployments, b.in.Held)
	spread(p.Uploads, tradingOf(p, deployments, b.in), b.network, p.Uplink)
	p.Outputs = outputChanges(p.Prior, p.Desired, b.unknown)
	p.derive()
	return p
}

// derive makes what follows from the rest of a plan: deployments and changes.
func (p *Plan) derive() {
	p.Deployments = deployments(p)
	p.Changes = changes(p)
	if p.Mode != Normal {
		p.Outputs = outputChanges(p.Prior, p.Desired, nil)
	}
}

func modelError(model *config.Model, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   model.Address + ": " + detail,
		Subject:  model.Range.Ptr(),
	}
}
