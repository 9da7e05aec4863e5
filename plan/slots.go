package plan

import "github.com/edgeplan/edgeplan/statefile"

// slots are the ports that workers listen on, by node: those of what is
// deployed, and those given out by the plan.
type slots map[string]map[int]bool

func newSlots(prior *statefile.State) slots {
	s := slots{}
	for _, model := range prior.Models {
		s.take(&model)
	}
	return s
}

// take marks the ports of a model as used.
func (s slots) take(m *statefile.Model) {
	s.mark(m.Gateway, m.GatewayPort)
	for _, slice := range m.Slices {
		s.mark(slice.Node, slice.Port)
	}
}

func (s slots) mark(node string, port int) {
	if s[node] == nil {
		s[node] = map[int]bool{}
	}
	s[node][port] = true
}

// free is the lowest port from first on that nothing on the node uses.
func (s slots) free(node string, first int) int {
	port := first
	for s[node][port] {
		port++
	}
	return port
}

// reuse gives a model the ports of its deployed release where every worker is
// on the node it was on, and says whether that was so.
func (s slots) reuse(m *statefile.Model, prior statefile.Model) bool {
	if m.Gateway != prior.Gateway || len(m.Slices) != len(prior.Slices) {
		return false
	}
	for i, slice := range prior.Slices {
		if m.Slices[i].Node != slice.Node {
			return false
		}
		m.Slices[i].Port = slice.Port
	}
	m.GatewayPort = prior.GatewayPort
	return true
}
