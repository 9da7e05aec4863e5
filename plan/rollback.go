package plan

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/statefile"
)

// ErrNoEarlier is that no earlier release of a model is kept.
var ErrNoEarlier = errors.New("no earlier release is kept")

// Rollback makes the plan that brings a model back to the release before the
// deployed one, of the files that its devices kept. What is deployed becomes the
// release before, so that a second rollback undoes the first. The configuration of
// the input may be nil, when it cannot be read: then outputs stay as recorded and
// the deployed release stops first, as nothing tells whether both fit.
func Rollback(in Input, name string) (*Plan, hcl.Diagnostics, error) {
	from, deployed := in.Prior.Models[name]
	earlier := in.Prior.Earlier[name]
	switch {
	case !deployed:
		return nil, nil, fmt.Errorf("model %q is not deployed%s", name, deployedModels(in.Prior))
	case len(earlier) == 0:
		return nil, nil, fmt.Errorf("model %s: %w on the devices: it was deployed once only, keep_releases is 1, or a device of the earlier one has left; change the configuration and run `edgeplan apply`", name, ErrNoEarlier)
	}
	if err := portsFree(in.Prior, name, &earlier[0]); err != nil {
		return nil, nil, err
	}
	b := newRollback(in, name, from)
	var diags hcl.Diagnostics
	if in.Config != nil {
		b.desired.Outputs = newDesired(in).Outputs
		diags = b.outputs()
	}
	p := &Plan{Mode: RollingBack, Prior: in.Prior, Desired: b.desired, Blobs: onDevices{}, Targets: []string{name}, configured: map[string]bool{}}
	for node := range in.Prior.Nodes {
		p.configured[node] = true
	}
	p.derive()
	for i := range p.Deployments {
		p.Deployments[i].Switch = b.switchBack(p.Deployments[i])
	}
	return p, diags, nil
}

func deployedModels(s *statefile.State) string {
	if len(s.Models) == 0 {
		return ": nothing is"
	}
	return ": " + strings.Join(sortedKeys(s.Models), ", ") + " are"
}

// newRollback has the desired state: the two releases change places.
func newRollback(in Input, name string, from statefile.Model) *builder {
	given := in
	if in.Config == nil {
		given.Config = &config.Config{}
	}
	b := newBuilder(given)
	b.desired = statefile.Clone(in.Prior)
	b.desired.Models[name] = b.desired.Earlier[name][0]
	b.desired.Earlier[name][0] = from
	for address, node := range b.desired.Nodes {
		if configured, ok := b.nodes[address]; ok {
			node.SSH = statefile.SSH(configured.SSH)
			b.desired.Nodes[address] = node
		}
	}
	return b
}

// switchBack is beside only where the configuration says that both releases fit.
func (b *builder) switchBack(d Deployment) Switch {
	for _, node := range ReleaseNodes(d.To) {
		if b.nodes[node] == nil {
			return StopFirst
		}
	}
	ports := slots{}
	ports.take(d.From, b.in.Prior.Nodes)
	if ports.taken(d.To, b.in.Prior.Nodes) != "" {
		return StopFirst
	}
	return b.switchOf([]Deployment{d}, d.Model)
}

// portsFree refuses an earlier release whose ports another model has by now.
func portsFree(s *statefile.State, name string, to *statefile.Model) error {
	for _, other := range sortedKeys(s.Models) {
		m, ports := s.Models[other], slots{}
		ports.take(&m, s.Nodes)
		if place := ports.taken(to, s.Nodes); other != name && place != "" {
			return fmt.Errorf("model %s cannot go back to release %s: model %s listens on %s by now, which that release needs; change the configuration and run `edgeplan apply`", name, to.Release, other, place)
		}
	}
	return nil
}

// taken names an address of a model that is marked; "" when all are free.
func (s slots) taken(m *statefile.Model, nodes map[string]statefile.Node) string {
	wanted := slots{}
	wanted.take(m, nodes)
	for _, host := range sortedKeys(wanted) {
		for port := range wanted[host] {
			if s[host][port] {
				return fmt.Sprintf("%s:%d", host, port)
			}
		}
	}
	return ""
}

// onDevices is the source of blobs of a rollback, which has none.
type onDevices struct{}

func (onDevices) Open(digest string) (io.ReadCloser, error) {
	return nil, fmt.Errorf("file %s of the earlier release is gone from the device, and a rollback has it from nowhere else: change the configuration and run `edgeplan apply`", digest[:min(12, len(digest))])
}
