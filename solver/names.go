package solver

import "fmt"

// NodeName is what messages call a node: its name, or its number.
func (p *Problem) NodeName(v int) string { return p.nodeName(v) }

// ResourceName is what messages call a resource: "node pi-1",
// "link pi-1 -> pi-2", "network wifi", "interface pi-1 out".
func (p *Problem) ResourceName(r Resource) string {
	switch r.Kind {
	case LinkResource:
		return fmt.Sprintf("link %s -> %s", p.nodeName(r.From), p.nodeName(r.To))
	case NetworkResource:
		if r.From >= 0 && r.From < len(p.Shared) && p.Shared[r.From].Name != "" {
			return "network " + p.Shared[r.From].Name
		}
		return fmt.Sprintf("network %d", r.From)
	case InterfaceResource:
		if r.To == InterfaceIn {
			return fmt.Sprintf("interface %s in", p.nodeName(r.From))
		}
		return fmt.Sprintf("interface %s out", p.nodeName(r.From))
	}
	if name := p.nodeName(r.From); name != fmt.Sprintf("node %d", r.From) {
		return "node " + name
	}
	return p.nodeName(r.From)
}
