package config

import (
	"path"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/sshconfig"
)

const (
	defaultPath = ".edgeplan"
	// DefaultPipelinePort is the first port that workers on a node take where
	// pipeline_port is not given.
	DefaultPipelinePort = 7433
)

// architectures that a worker exists for.
func architectures() []string { return []string{"linux/amd64", "linux/arm64", "linux/arm"} }

// nodeType is what a reference to a node gives.
func nodeType() cty.Type {
	return cty.Object(map[string]cty.Type{
		idAttribute: cty.String, "address": cty.String, "memory": cty.String, "compute": cty.String,
		"architecture": cty.String, "path": cty.String, "pipeline_address": cty.String, "pipeline_port": cty.Number,
		"enabled": cty.Bool, "user": cty.String, "port": cty.Number,
	})
}

// node reads one node and gives what references to it see.
func (f *frame) node(r *reader) cty.Value {
	n := &Node{Address: r.inst.address, Range: r.rng}
	n.SSH = r.sshOver(f.defaults())
	r.fill("user", cty.StringVal(sshconfig.Operator()))
	r.fill("port", cty.NumberIntVal(defaultSSHPort))
	n.SSH.Host = r.host()
	f.readAmounts(r, n)
	n.Architecture = r.architecture()
	n.Path = r.devicePath()
	n.PipelineAddress = r.pipelineAddress(n.SSH.Host)
	n.PipelinePort = int(r.whole("pipeline_port", 1, maxPort, DefaultPipelinePort))
	n.Enabled = r.boolean("enabled", true)

	f.nodes[n.Address] = n
	f.config.Nodes = append(f.config.Nodes, n)
	r.seen[idAttribute] = cty.StringVal(n.Address)
	return r.object(nodeType())
}

// readAmounts reads what may be measured.
func (f *frame) readAmounts(r *reader, n *Node) {
	measured := f.config.Measured.Node(n.Address)
	if measured == nil {
		measured = &measurement.Node{}
	}
	n.Memory, n.MemoryOrigin, n.memoryAt = orMeasured(r, "memory", quantity.ParseBytes, measured.MemoryBytes, quantity.ExactBytes)
	n.Compute, n.ComputeOrigin, n.computeAt = orMeasured(r, "compute", quantity.ParseCompute, measured.ComputeFLOPPerSecond, exactFLOPS)
}

// exactFLOPS writes operations per second so that they are read as the same.
func exactFLOPS(perSecond float64) string {
	return strconv.FormatFloat(perSecond, 'f', -1, 64) + "FLOPS"
}

func (r *reader) architecture() string {
	if !r.given("architecture") {
		return ""
	}
	a, ok := r.get("architecture", cty.String)
	if !ok {
		return ""
	}
	if s, known := canonicalArchitecture(a.value.AsString()); known {
		r.bad("architecture", a, invalidValue, "architecture is %q. Write %q.", a.value.AsString(), s)
		return s
	}
	return r.choice("architecture", "", architectures())
}

// canonicalArchitecture translates the names that uname and dpkg use.
func canonicalArchitecture(s string) (string, bool) {
	switch strings.TrimPrefix(strings.ToLower(s), "linux/") {
	case "x86_64", "x64", "amd64":
		return "linux/amd64", s != "linux/amd64"
	case "aarch64", "arm64", "arm64v8":
		return "linux/arm64", s != "linux/arm64"
	case "armv7l", "armv6l", "armhf", "armv7", "arm/v7", "arm":
		return "linux/arm", s != "linux/arm"
	}
	return "", false
}

// devicePath reads edgeplan's folder on the device: absolute, or from the home
// folder there. destroy empties it, so it may not be a folder of anything else.
func (r *reader) devicePath() string {
	given := r.text("path", defaultPath)
	if given == defaultPath {
		return given
	}
	clean := path.Clean(strings.TrimPrefix(given, "~/"))
	shared := clean == "." || clean == "/" || clean == "~" || clean == ".." || strings.HasPrefix(clean, "../")
	if given == "" || shared || strings.ContainsAny(given, "\x00\r\n") || strings.HasPrefix(clean, "~") {
		r.bad("path", r.argument("path"), invalidValue,
			"path is %q. It must be a folder of edgeplan's own: absolute, or from the home folder, as \".edgeplan\".", given)
		return defaultPath
	}
	return clean
}

func (r *reader) pipelineAddress(host string) string {
	given := r.text("pipeline_address", host)
	if given == host {
		return host
	}
	if problem := hostProblem(given); problem != "" {
		problem = strings.NewReplacer("port =", "pipeline_port =", "address =", "pipeline_address =").Replace(problem)
		r.bad("pipeline_address", r.argument("pipeline_address"), invalidValue, "pipeline_address is %q. %s", given, problem)
	}
	return given
}

// argument is one that has been read, for a fault found later.
func (r *reader) argument(name string) argument {
	attr := r.content.Attributes[name]
	_, marks := r.seen[name].UnmarkDeep()
	return argument{at: attr.Expr.Range().Ptr(), expr: attr.Expr, sensitive: len(marks) > 0}
}

// enabledNodes are the addresses of the enabled nodes of the module as written, keys in
// order, with the modules in it where they stand.
func (f *frame) enabledNodes() []string {
	var list []string
	for _, d := range f.module.order {
		switch d.kind {
		case kindNode:
			for _, inst := range f.repeated[d.address] {
				if n := f.nodes[inst.address]; n != nil && n.Enabled {
					list = append(list, n.Address)
				}
			}
		case kindModule:
			for _, child := range f.children[d.address] {
				list = append(list, child.enabledNodes()...)
			}
		}
	}
	return list
}
