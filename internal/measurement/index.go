package measurement

// Index finds measurements by what they are about. A nil one holds nothing.
type Index struct {
	all      *Measurements
	nodes    map[string]*Node
	links    map[[2]string]*Link
	profiles map[string][]*Profile // by node, in order
}

// NewIndex is an index of measurements, which may not change any more.
func NewIndex(m *Measurements) *Index {
	x := &Index{all: m, nodes: map[string]*Node{}, links: map[[2]string]*Link{}, profiles: map[string][]*Profile{}}
	for i := range m.Nodes {
		x.nodes[m.Nodes[i].Node] = &m.Nodes[i]
	}
	for i := range m.Links {
		x.links[[2]string{m.Links[i].From, m.Links[i].To}] = &m.Links[i]
	}
	for i := range m.Profiles {
		node := m.Profiles[i].Node
		x.profiles[node] = append(x.profiles[node], &m.Profiles[i])
	}
	return x
}

// All are the measurements themselves.
func (x *Index) All() *Measurements {
	if x == nil {
		return sorted(&Measurements{})
	}
	return x.all
}

// Node is what was measured of a node, or nil.
func (x *Index) Node(address string) *Node {
	if x == nil {
		return nil
	}
	return x.nodes[address]
}

// Link is what was measured from one node to another, or nil.
func (x *Index) Link(from, to string) *Link {
	if x == nil {
		return nil
	}
	return x.links[[2]string{from, to}]
}

// Profiles are the times of ranges of a model on a node, of whatever file and options.
func (x *Index) Profiles(node, model string) []*Profile {
	if x == nil {
		return nil
	}
	var found []*Profile
	for _, p := range x.profiles[node] {
		if p.Model == model {
			found = append(found, p)
		}
	}
	return found
}
