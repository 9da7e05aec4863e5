package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// The kinds of block and of things to refer to.
const (
	kindSettings = "edgeplan"
	kindVariable = "var"
	kindLocal    = "local"
	kindSSH      = "ssh"
	kindNode     = "node"
	kindLink     = "link"
	kindNetwork  = "network"
	kindModel    = "model"
	kindModule   = "module"
	kindOutput   = "output"
)

// shape is what a block may contain.
type shape struct {
	attributes []string
	blocks     []hcl.BlockHeaderSchema
}

func rootShape() shape {
	return shape{blocks: []hcl.BlockHeaderSchema{
		{Type: "edgeplan"},
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "locals"},
		{Type: "ssh"},
		{Type: "node", LabelNames: []string{"name"}},
		{Type: "link", LabelNames: []string{"name"}},
		{Type: "network", LabelNames: []string{"name"}},
		{Type: "model", LabelNames: []string{"name"}},
		{Type: "module", LabelNames: []string{"name"}},
		{Type: "output", LabelNames: []string{"name"}},
	}}
}

// sshAttributes may stand in the ssh block and in any node.
func sshAttributes() []string {
	return []string{"user", "identity_file", "known_hosts", "host_key", "host_key_checking", "port", "proxy_jump", "become", "ssh_config"}
}

// conditions are the blocks that may stand in whatever a plan makes.
func conditions() []hcl.BlockHeaderSchema {
	return []hcl.BlockHeaderSchema{{Type: preconditionType}}
}

func shapeOf(blockType string) shape {
	switch blockType {
	case "edgeplan":
		return shape{
			attributes: []string{"required_version", "replan_threshold", "keep_releases", "engines", "uplink"},
			blocks:     []hcl.BlockHeaderSchema{backendBlock()},
		}
	case "variable":
		return shape{
			attributes: []string{"type", "default", "description", "sensitive", "nullable"},
			blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
		}
	case validationType:
		return shape{attributes: []string{"condition", "error_message"}}
	case "ssh":
		return shape{attributes: sshAttributes()}
	case "node":
		own := []string{"for_each", "count", "address", "memory", "compute", "profile_of", "architecture", "path", "pipeline_address", "pipeline_port", "enabled"}
		return shape{attributes: append(own, sshAttributes()...), blocks: conditions()}
	case "link":
		return shape{attributes: []string{"for_each", "count", "between", "bandwidth", "latency"}, blocks: conditions()}
	case "network":
		return shape{attributes: []string{"for_each", "count", "nodes", "links", "bandwidth", "latency", "shared"}, blocks: conditions()}
	case "model":
		return shape{
			attributes: []string{"for_each", "count", "source", "dimensions", "gateway", "optimization", "threads", "transfer"},
			blocks:     append([]hcl.BlockHeaderSchema{{Type: "solver"}, {Type: "require"}, {Type: "client"}}, conditions()...),
		}
	case "solver":
		return shape{attributes: []string{"algorithm", "time_limit"}}
	case "require":
		return shape{attributes: []string{"throughput", "latency", "error_message"}}
	case "client":
		return shape{attributes: []string{"address", "http_port", "grpc_port", "token_file", "authorities_file"}}
	case "output":
		return shape{attributes: []string{"value", "description", "sensitive"}, blocks: conditions()}
	case preconditionType:
		return shape{attributes: []string{"condition", "error_message"}}
	}
	return shape{}
}

// content reads a body by its shape and adds to hcl's errors what is allowed.
func (r *report) content(body hcl.Body, s shape) *hcl.BodyContent {
	schema := &hcl.BodySchema{Blocks: s.blocks}
	for _, name := range s.attributes {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, diags := body.Content(schema)
	for _, d := range diags {
		s.explain(d)
	}
	r.add(diags...)
	return content
}

// explain ends hcl's errors about unexpected names in the names to choose from.
func (s shape) explain(d *hcl.Diagnostic) {
	if strings.Contains(d.Detail, "Did you mean") {
		return
	}
	var blocks []string
	for _, b := range s.blocks {
		blocks = append(blocks, b.Type)
	}
	if hint := terraformHint(d.Detail); hint != "" {
		d.Detail += " " + hint
		return
	}
	switch {
	case strings.HasPrefix(d.Summary, "Missing type for "):
		d.Detail = "This block says where the state is kept. Write backend \"local\" {, backend \"http\" { or backend \"s3\" {."
	case strings.HasPrefix(d.Summary, "Missing name for "):
		d.Detail = fmt.Sprintf("This block needs a name. Write %s \"NAME\" {", strings.TrimPrefix(d.Summary, "Missing name for "))
	case strings.HasPrefix(d.Summary, "Extraneous label for "):
		kind := strings.TrimPrefix(d.Summary, "Extraneous label for ")
		d.Detail = fmt.Sprintf("A block of this kind has fewer labels. Remove what stands after %s and, where it has one, its name.", kind)
	case d.Summary == "Extraneous JSON object property":
		d.Detail += fmt.Sprintf(" What may stand here: %s.", strings.Join(append(slices.Clone(s.attributes), blocks...), ", "))
	case d.Summary == "Unsupported argument" && len(s.attributes) > 0:
		d.Detail += fmt.Sprintf(" The arguments here are %s.", strings.Join(s.attributes, ", "))
	case d.Summary == "Unsupported argument":
		d.Detail += " Put it in a block, or in locals { } to use it as local.NAME."
	case d.Summary == "Unsupported block type" && len(blocks) > 0:
		d.Detail += fmt.Sprintf(" The blocks here are %s.", strings.Join(blocks, ", "))
	case d.Summary == "Unsupported block type":
		d.Detail += " Only arguments may stand here; write NAME = VALUE, or remove the block."
	}
}

// terraformHint says what stands here for something that Terraform has.
func terraformHint(detail string) string {
	for name, hint := range map[string]string{
		"terraform":  "What concerns edgeplan itself, as required_version and backend, stands in the block edgeplan { }.",
		"provider":   "How to reach devices stands in the block ssh { }.",
		"resource":   "The things that edgeplan knows are blocks of their own kinds: node, link, network and model.",
		"data":       "Read a file with file(\"...\"), csvdecode, jsondecode or yamldecode.",
		"lifecycle":  "Write precondition blocks without one around them.",
		"depends_on": "Blocks come in the order of their references; remove it.",
		"dynamic":    "Blocks cannot be made by an expression here; write them out.",
		"providers":  "A module begins from the ssh block around it; remove it.",
	} {
		if strings.Contains(detail, fmt.Sprintf("%q", name)) {
			return hint
		}
	}
	return ""
}
