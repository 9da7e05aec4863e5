package config

import (
	"cmp"
	"slices"
)

// complete checks what concerns several blocks and puts everything in order of
// address.
func (e *evaluator) complete() {
	e.shareProfiles()
	e.config.incomplete = e.incomplete || e.partial
	if !e.partial { // what is not known yet has its default, which may clash
		e.checkDevices()
		e.checkNetworks(e.checkLinks())
		e.checkClientPorts()
	}
	e.checkModelNames()
	c := e.config
	slices.SortFunc(c.Nodes, func(a, b *Node) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(c.Links, func(a, b *Link) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(c.Networks, func(a, b *Network) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(c.Models, func(a, b *Model) int { return cmp.Compare(a.Name, b.Name) })
	c.outputs = &outputs{e}
}
