package plan

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/statefile"
)

// Diff is what takes one state's models to another's, in order of name. It is
// symmetric: Diff(x, x) is empty, and a deployment's To, or its absence, is the
// model in the second state. Predictions are not on devices and do not count.
func Diff(from, to *statefile.State) []Deployment {
	names := map[string]bool{}
	for name := range from.Models {
		names[name] = true
	}
	for name := range to.Models {
		names[name] = true
	}
	var deployments []Deployment
	for _, name := range sortedKeys(names) {
		before, after := model(from, name), model(to, name)
		if !sameOnDevices(before, after) {
			deployments = append(deployments, newDeployment(name, before, after, to.Nodes))
		}
	}
	return deployments
}

func model(s *statefile.State, name string) *statefile.Model {
	if m, ok := s.Models[name]; ok {
		return &m
	}
	return nil
}

// sameOnDevices compares releases: the id covers every file and manifest.
func sameOnDevices(a, b *statefile.Model) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Release == b.Release
}

func newDeployment(name string, from, to *statefile.Model, nodes map[string]statefile.Node) Deployment {
	d := Deployment{Model: name, From: from, To: to, Switch: Beside}
	if to != nil {
		d.Manifests = Manifests(name, to, nodes)
	}
	return d
}

// deployments are the models that change, those that are unchanged but no longer
// whole on their devices, and those with a slice to replace.
func deployments(p *Plan) []Deployment {
	if p.Mode == RefreshOnly {
		return nil
	}
	list := Diff(p.Prior, p.Desired)
	for _, name := range p.touched() {
		to := model(p.Desired, name)
		if _, known := deploymentOf(list, name); !known && to != nil {
			list = append(list, newDeployment(name, model(p.Prior, name), to, p.Desired.Nodes))
		}
	}
	slices.SortFunc(list, func(a, b Deployment) int { return strings.Compare(a.Model, b.Model) })
	for i := range list {
		list[i].Replace = p.replaced(list[i])
		for _, m := range p.Models {
			if m.Name == list[i].Model {
				list[i].Switch = m.Switch
			}
		}
	}
	return list
}

// touched are the models with drift or a slice to replace, but for those that
// the plan is not about.
func (p *Plan) touched() []string {
	names := map[string]bool{}
	for _, d := range p.Drift {
		names[d.Model] = true
	}
	for _, r := range p.Replacements {
		names[r.Model] = true
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return len(p.Targets) > 0 && !slices.Contains(p.Targets, name) })
	return sortedKeys(names)
}

// replaced are the nodes of a deployment whose slice is replaced on demand.
func (p *Plan) replaced(d Deployment) []string {
	if d.To == nil {
		return nil
	}
	carrying := ReleaseNodes(d.To)
	nodes := map[string]bool{}
	for _, r := range p.Replacements {
		if r.Model == d.Model && slices.Contains(carrying, r.Node) {
			nodes[r.Node] = true
		}
	}
	return sortedKeys(nodes)
}

// repairs says whether the deployed release stays and is only made whole.
func (d Deployment) repairs() bool {
	return d.From != nil && d.To != nil && d.From.Release == d.To.Release
}

// SameState says whether applying the plan would leave the state as it is:
// nothing to do on devices, and no prediction or output that changed.
func (p *Plan) SameState() bool {
	return p.Empty() && reflect.DeepEqual(p.Prior.Models, p.Desired.Models) &&
		reflect.DeepEqual(p.Prior.Nodes, p.Desired.Nodes) &&
		sameOutputs(p.Prior, p.Desired)
}

func sameOutputs(a, b *statefile.State) bool {
	if len(a.Outputs) != len(b.Outputs) {
		return false
	}
	for name, value := range a.Outputs {
		if string(value) != string(b.Outputs[name]) {
			return false
		}
	}
	return true
}
