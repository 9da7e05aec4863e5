package config

import "net/netip"

// clientPort is a port for clients that a model asks for.
type clientPort struct {
	attribute string
	address   netip.AddrPort
	device    string // where it is opened: two nodes may be one machine
	model     *Model
}

func (e *evaluator) clientPorts() (all []clientPort) {
	devices := map[string]string{}
	for _, n := range e.config.Nodes {
		devices[n.Address] = n.PipelineAddress
	}
	for _, m := range e.config.Models {
		if m.Client == nil {
			continue
		}
		for _, form := range []struct{ attribute, address string }{{"http_port", m.Client.HTTP}, {"grpc_port", m.Client.GRPC}} {
			if address, err := netip.ParseAddrPort(form.address); err == nil {
				all = append(all, clientPort{form.attribute, address, devices[m.Gateway], m})
			}
		}
	}
	return all
}

func (p clientPort) clashes(q clientPort) bool {
	a, b := p.address.Addr(), q.address.Addr()
	return p.device == q.device && p.address.Port() == q.address.Port() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

// checkClientPorts finds ports that two servers would open. Nothing else would: a
// worker opens them so that the next release can have them too, and then each client
// would meet one of the two servers at random.
func (e *evaluator) checkClientPorts() {
	ports := e.clientPorts()
	for i, p := range ports {
		for _, q := range ports[:i] {
			if p.clashes(q) {
				e.fault(&p.model.Range, "Port taken twice", "%s of %s is %d, and so is %s of %s (%s) on the same device. Give one of them another port.",
					p.attribute, p.model.Address, p.address.Port(), q.attribute, q.model.Address, q.model.Range)
				break
			}
		}
	}
}
