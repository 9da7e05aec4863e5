package plan

import (
	"fmt"
	"net/netip"

	"github.com/edgeplan/edgeplan/statefile"
)

// maxPort is the highest TCP port.
const maxPort = 65535

// slots are the ports that workers listen on: those of what is deployed, and
// those given out by the plan. They go by the address where a node is reached,
// since two nodes may be one machine.
type slots map[string]map[int]bool

func newSlots(prior *statefile.State) slots {
	s := slots{}
	for _, model := range prior.Models {
		s.take(&model, prior.Nodes)
	}
	return s
}

// takeClients keeps workers off the ports where clients of the configured models reach
// a gateway: a worker that listens to all addresses would have them first.
func (b *builder) takeClients() {
	for _, model := range b.in.Config.Models {
		node, ok := b.nodes[model.Gateway]
		if !ok || model.Client == nil {
			continue
		}
		for _, address := range []string{model.Client.HTTP, model.Client.GRPC} {
			if at, err := netip.ParseAddrPort(address); err == nil {
				b.slots.mark(statefile.Node{PipelineAddress: node.PipelineAddress}, int(at.Port()))
			}
		}
	}
}

// take marks the ports of a model as used.
func (s slots) take(m *statefile.Model, nodes map[string]statefile.Node) {
	s.mark(nodes[m.Gateway], m.GatewayPort)
	for _, slice := range m.Slices {
		s.mark(nodes[slice.Node], slice.Port)
	}
}

func (s slots) mark(node statefile.Node, port int) {
	if s[node.PipelineAddress] == nil {
		s[node.PipelineAddress] = map[int]bool{}
	}
	s[node.PipelineAddress][port] = true
}

// give gives out the lowest port of a node that nothing at its address uses.
func (s slots) give(node statefile.Node) (int, error) {
	for port := node.PipelinePort; port <= maxPort; port++ {
		if !s[node.PipelineAddress][port] {
			s.mark(node, port)
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from pipeline_port %d up is free at %s", node.PipelinePort, node.PipelineAddress)
}

// reusePorts gives a model the ports of its deployed release where every worker is on
// the node it was on, with the same ports to choose from, and says whether that
// was so.
func (b *builder) reusePorts(m *statefile.Model, prior statefile.Model) bool {
	if m.Gateway != prior.Gateway || len(m.Slices) != len(prior.Slices) || !b.samePorts(m.Gateway) {
		return false
	}
	for i, slice := range prior.Slices {
		if m.Slices[i].Node != slice.Node || !b.samePorts(slice.Node) {
			return false
		}
		m.Slices[i].Port = slice.Port
	}
	m.GatewayPort = prior.GatewayPort
	return true
}

func (b *builder) samePorts(node string) bool {
	return b.in.Prior.Nodes[node].PipelinePort == b.desired.Nodes[node].PipelinePort
}
