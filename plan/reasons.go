package plan

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// reasons says why a slice changes, the most telling first. A slice without a
// reason is left alone.
func reasons(c Change, d Deployment, p *Plan) []string {
	if p.Mode == RollingBack {
		return []string{backReason(d)}
	}
	switch c.Action {
	case Create:
		return []string{createReason(d)}
	case Delete:
		return deleteReasons(c, d, p)
	}
	if d.repairs() {
		return keptReasons(c, d, p)
	}
	var list []string
	if c.BeforeNode != c.AfterNode {
		list = append(list, moveReason(c, p))
	}
	list = append(list, foundReasons(c, d, p)...)
	if c.Before.FirstSegment != c.After.FirstSegment || c.Before.LastSegment != c.After.LastSegment {
		list = append(list, fmt.Sprintf("boundary moved: %s .. %s -> %s .. %s",
			c.Before.FirstNode, c.Before.LastNode, c.After.FirstNode, c.After.LastNode))
	} else if c.Before.Graph.Digest != c.After.Graph.Digest || !reflect.DeepEqual(c.Before.Weights, c.After.Weights) {
		list = append(list, "slice digest changed: model file")
	}
	list = append(list, settingReasons(d)...)
	list = append(list, programReasons(c, d)...)
	if len(list) == 0 {
		list = append(list, companyReason(d))
	}
	return list
}

func backReason(d Deployment) string { return "back to release " + d.To.Release }

func createReason(d Deployment) string {
	if d.From == nil {
		return "not deployed yet"
	}
	return "the pipeline gets another stage"
}

// keptReasons says why a worker that stays where it is changes: for itself, or
// because a release is of the whole pipeline.
func keptReasons(c Change, d Deployment, p *Plan) []string {
	list := foundReasons(c, d, p)
	switch {
	case len(list) > 0:
		return list
	case !d.repairs():
		return []string{companyReason(d)}
	case slices.ContainsFunc(p.Drift, func(f Drift) bool { return f.Model == d.Model && f.NewKey }):
		return []string{"the key of another device rotated"}
	}
	return nil
}

// foundReasons tells what was asked for and what was found on the device.
func foundReasons(c Change, d Deployment, p *Plan) []string {
	var list []string
	if slices.Contains(d.Replace, c.AfterNode) {
		list = append(list, "-replace asks for it")
	}
	for _, found := range p.Drift {
		if found.Model == d.Model && found.Node == c.AfterNode {
			list = append(list, "changed outside of edgeplan: "+found.Problem)
		}
	}
	return list
}

// companyReason is why a slice that is the same itself is part of a new release:
// a release is of the whole pipeline.
func companyReason(d Deployment) string {
	switch {
	case d.From.Gateway != d.To.Gateway:
		return fmt.Sprintf("gateway %s -> %s", d.From.Gateway, d.To.Gateway)
	case !samePlacement(d.From, d.To):
		return "neighbour moved"
	case d.From.SourceDigest != d.To.SourceDigest:
		return "model file changed in another slice"
	}
	return "neighbour changed"
}

func samePlacement(a, b *statefile.Model) bool {
	return slices.EqualFunc(a.Slices, b.Slices, func(x, y statefile.Slice) bool {
		return x.Node == y.Node && x.FirstSegment == y.FirstSegment && x.LastSegment == y.LastSegment
	})
}

func deleteReasons(c Change, d Deployment, p *Plan) []string {
	switch {
	case p.Mode == Destroying:
		return []string{"destroy was asked for"}
	case d.To == nil:
		return []string{"model left the configuration"}
	case left(c.BeforeNode, p):
		return []string{leftReason(c.BeforeNode, p)}
	}
	return []string{"fewer stages are needed"}
}

func moveReason(c Change, p *Plan) string {
	if left(c.BeforeNode, p) {
		return leftReason(c.BeforeNode, p)
	}
	for _, name := range sortedKeys(p.Desired.Models) {
		m := p.Desired.Models[name]
		if name != c.Model && slices.Contains(ReleaseNodes(&m), c.BeforeNode) {
			return "model." + name + " runs there now"
		}
	}
	return "a better placement was found"
}

func left(node string, p *Plan) bool { return !p.configured[node] }

// leftReason is why a node is none to place stages on.
func leftReason(node string, p *Plan) string {
	switch {
	case slices.Contains(p.Excluded, node):
		return "device is excluded"
	case slices.Contains(p.Disabled, node):
		return "device is disabled"
	}
	return "device left the configuration"
}

func settingReasons(d Deployment) []string {
	var list []string
	if d.From.Optimization != d.To.Optimization {
		list = append(list, fmt.Sprintf("optimization %s -> %s", d.From.Optimization, d.To.Optimization))
	}
	if d.From.Transfer != d.To.Transfer {
		list = append(list, fmt.Sprintf("transfer %s -> %s", cmp.Or(d.From.Transfer, "none"), cmp.Or(d.To.Transfer, "none")))
	}
	if !sameAccess(d.From.Access, d.To.Access) {
		list = append(list, "access for clients changed")
	}
	if d.From.Threads != d.To.Threads {
		list = append(list, fmt.Sprintf("threads %s -> %s", threadsText(d.From.Threads), threadsText(d.To.Threads)))
	}
	return list
}

func threadsText(n int) string {
	if n == 0 {
		return "as the engine chooses"
	}
	return strconv.Itoa(n)
}

func sameAccess(a, b *statefile.Access) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// programReasons tells of a new worker or engine on a node that stays.
func programReasons(c Change, d Deployment) []string {
	if c.Action != Update {
		return nil
	}
	var list []string
	for name, word := range map[string]string{worker.ProgramFile: "worker", worker.EngineFile: "engine"} {
		if program(d.From, c.BeforeNode, name) != program(d.To, c.AfterNode, name) {
			list = append(list, word+" changed")
		}
	}
	slices.Sort(list)
	return list
}

func program(m *statefile.Model, node, name string) string {
	blob, _ := programBlob(m, node, name)
	return blob.Digest
}

func programBlob(m *statefile.Model, node, name string) (statefile.Blob, bool) {
	for _, blob := range m.Programs[node] {
		if blob.Name == name {
			return blob, true
		}
	}
	return statefile.Blob{}, false
}

// WorkerProgram is the worker program of a model on a node, if it has one.
func WorkerProgram(m *statefile.Model, node string) (statefile.Blob, bool) {
	return programBlob(m, node, worker.ProgramFile)
}
