package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/probe"
)

// The kinds of what is measured, as -only names them.
const (
	kindNodes    = "nodes"
	kindLinks    = "links"
	kindProfiles = "profiles"
)

// scope is what -only leaves: of each sort everything where none is named.
type scope struct {
	kinds  []string
	nodes  map[string]bool
	models map[string]bool
	within bool // links only where both of their nodes are named
}

func newScope(only []string, cfg *config.Config) (scope, error) {
	s := scope{nodes: map[string]bool{}, models: map[string]bool{}}
	for _, word := range only {
		if !s.take(word, cfg) {
			return s, fmt.Errorf("-only %s: there is no such node or model in the configuration: write nodes, links, profiles, "+
				"the address of a node or a model, as node.pi[\"hall\"], or node.pi for all of its block", word)
		}
	}
	if len(s.models) > 0 && len(s.kinds) == 0 {
		s.kinds = []string{kindProfiles}
	}
	return s, nil
}

// take notes what a word names, and says whether it names something.
func (s *scope) take(word string, cfg *config.Config) bool {
	if slices.Contains([]string{kindNodes, kindLinks, kindProfiles}, word) {
		s.kinds = append(s.kinds, word)
		return true
	}
	found := false
	for _, node := range cfg.Nodes {
		if node.Enabled && (node.Address == word || strings.HasPrefix(node.Address, word+"[")) {
			s.nodes[node.Address], found = true, true
		}
	}
	for _, model := range cfg.Models {
		if model.Address == word || model.Name == word || strings.HasPrefix(model.Address, word+"[") {
			s.models[model.Name], found = true, true
		}
	}
	return found
}

func (s scope) kind(kind string) bool { return len(s.kinds) == 0 || slices.Contains(s.kinds, kind) }

func (s scope) node(address string) bool { return len(s.nodes) == 0 || s.nodes[address] }

// link says whether a link has to do with a node that is named.
func (s scope) link(from, to string) bool {
	if s.within {
		return s.nodes[from] && s.nodes[to]
	}
	return len(s.nodes) == 0 || s.nodes[from] || s.nodes[to]
}

func (s scope) model(name string) bool { return len(s.models) == 0 || s.models[name] }

// direction is one way between two nodes.
type direction struct{ from, to string }

// connected are the directions that the configuration connects, with the shared medium
// that each is on, "" for one of its own. Where it connects nothing, all nodes are
// taken to reach each other.
func connected(cfg *config.Config) map[direction]string {
	enabled := map[string]bool{}
	for _, node := range enabledNodes(cfg) {
		enabled[node] = true
	}
	found := map[direction]string{}
	add := func(from, to, medium string) {
		_, linked := found[direction{from, to}]
		if from != to && enabled[from] && enabled[to] && !linked {
			found[direction{from, to}] = medium
		}
	}
	for _, link := range cfg.Links { // a link wins over a network, and leaves its radio
		add(link.Between[0], link.Between[1], "")
		add(link.Between[1], link.Between[0], "")
	}
	for _, network := range cfg.Networks {
		addNetwork(network, add)
	}
	if len(cfg.Links)+len(cfg.Networks) == 0 {
		addAll(enabledNodes(cfg), "", add)
	}
	return found
}

func addNetwork(network *config.Network, add func(from, to, medium string)) {
	medium := ""
	if network.Shared {
		medium = network.Address
	}
	if network.Links == nil {
		addAll(network.Nodes, medium, add)
	}
	for _, row := range network.Links {
		add(row.From, row.To, medium)
	}
}

func addAll(nodes []string, medium string, add func(from, to, medium string)) {
	for _, from := range nodes {
		for _, to := range nodes {
			add(from, to, medium)
		}
	}
}

// linkRounds orders directions into rounds of pairs, both ways of a pair one after the
// other. Two pairs that share a medium, be it in one direction only, are in different ones.
func linkRounds(wanted map[direction]string) [][][]direction {
	var names []string
	index := map[string]int{}
	for d := range wanted {
		names = append(names, d.from, d.to)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for i, name := range names {
		index[name] = i
	}
	media := map[probe.Pair][]string{}
	var pairs []probe.Pair
	for d, medium := range wanted {
		p := probe.NewPair(index[d.from], index[d.to])
		pairs = append(pairs, p)
		if medium != "" {
			media[p] = append(media[p], medium)
		}
	}
	var rounds [][][]direction
	for _, round := range probe.Media(probe.Rounds(len(names), pairs), func(p probe.Pair) []string { return media[p] }) {
		var tests [][]direction
		for _, p := range round {
			tests = append(tests, bothWays(names[p.A], names[p.B], wanted))
		}
		rounds = append(rounds, tests)
	}
	return rounds
}

func bothWays(a, b string, wanted map[direction]string) []direction {
	var ways []direction
	for _, d := range []direction{{a, b}, {b, a}} {
		if _, ok := wanted[d]; ok {
			ways = append(ways, d)
		}
	}
	return ways
}
