package plan

import (
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

// withDrift adds the models that are unchanged but no longer whole on their devices.
func withDrift(deployments []Deployment, p *Plan, drift []Drift) []Deployment {
	for _, d := range drift {
		known := slices.ContainsFunc(deployments, func(have Deployment) bool { return have.Model == d.Model })
		to := model(p.Desired, d.Model)
		if !known && to != nil {
			deployments = append(deployments, newDeployment(d.Model, model(p.Prior, d.Model), to, p.Desired.Nodes))
		}
	}
	slices.SortFunc(deployments, func(a, b Deployment) int { return strings.Compare(a.Model, b.Model) })
	return deployments
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
