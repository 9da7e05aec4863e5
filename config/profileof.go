package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// profileOfAttribute names another node in a node. It is evaluated by itself, once all
// nodes are known, so that one of a block can name another of the same block.
const profileOfAttribute = "profile_of"

// kindProfileOf is the profile_of of a node block.
const kindProfileOf = "profile_of in node"

// declareProfileOf takes profile_of out of a node block.
func (l *loader) declareProfileOf(m *module, node *declaration) {
	attr := node.attribute(profileOfAttribute)
	if attr == nil {
		return
	}
	own := &hcl.BodyContent{Attributes: hcl.Attributes{profileOfAttribute: attr}}
	for _, name := range []string{"for_each", "count"} {
		if repeats := node.attribute(name); repeats != nil {
			own.Attributes[name] = repeats // gives each and count their values
		}
	}
	delete(node.content.Attributes, profileOfAttribute)
	l.addDeclaration(m, &declaration{address: address{kindProfileOf, node.name}, rng: node.rng, content: own})
}

// profileOf reads profile_of of every node that the block makes.
func (f *frame) profileOf(d *declaration) {
	ctx := f.context(d.refs)
	for _, inst := range f.repeated[address{kindNode, d.name}] {
		r := f.reader(d, inst, instanceContext(ctx, d, inst))
		r.name = inst.address
		r.readProfileOf(f.nodes[inst.address])
	}
}

func (r *reader) readProfileOf(n *Node) {
	v, attr, ok := r.raw(profileOfAttribute)
	if !ok || n == nil || v == cty.DynamicVal {
		return
	}
	at := attr.Expr.Range().Ptr()
	n.ProfileOf, _ = r.nodeAddress(v, at, profileOfAttribute)
	n.profileOfAt = at
}

// shareProfiles checks who shares whose profile, and gives the nodes without compute
// that of the node they are like.
func (e *evaluator) shareProfiles() {
	for _, n := range e.config.Nodes {
		if n.ProfileOf == "" || !e.checkProfileOf(n, e.nodes[n.ProfileOf]) {
			continue
		}
		if of := e.nodes[n.ProfileOf]; n.ComputeOrigin == Lacking && of.Compute > 0 {
			n.Compute, n.ComputeOrigin = of.Compute, of.ComputeOrigin
		}
	}
}

const invalidProfileOf = "Invalid profile_of"

func (e *evaluator) checkProfileOf(n, of *Node) bool {
	switch {
	case n == of:
		e.fault(n.profileOfAt, invalidProfileOf, "%s names itself. Leave profile_of out there; in a block with for_each write profile_of = each.key == KEY ? null : node.NAME[KEY].", n.Address)
	case of.ProfileOf == n.Address:
		e.fault(n.profileOfAt, invalidProfileOf, "%s and %s name each other, so neither has a profile. Leave profile_of out in the one that is measured.", n.Address, of.Address)
	case of.ProfileOf != "":
		e.fault(n.profileOfAt, invalidProfileOf, "%s names %s, which itself has the profile of %s. Name %s.", n.Address, of.Address, of.ProfileOf, of.ProfileOf)
	default:
		return true
	}
	return false
}
