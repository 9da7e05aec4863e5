package plan

import (
	"slices"

	"github.com/edgeplan/edgeplan/statefile"
)

// keepEarlier says which earlier releases stay on the devices: as many as the
// configuration keeps, counted when a model changes, and only while all their
// devices are part of the configuration. Models that the plan leaves alone keep
// what they have.
func (b *builder) keepEarlier() {
	b.desired.Earlier = nil
	for _, name := range sortedKeys(b.desired.Models) {
		_, alone := b.keptModel(name)
		list := b.in.Prior.Earlier[name]
		if !alone {
			list = slices.DeleteFunc(b.earlier(name), func(m statefile.Model) bool { return !b.configures(&m) })
		}
		if len(list) > 0 {
			b.keepReleases(name, list, alone)
		}
	}
}

func (b *builder) keptModel(name string) (statefile.Model, bool) {
	if b.kept == nil {
		return statefile.Model{}, false
	}
	m, ok := b.kept.Models[name]
	return m, ok
}

// earlier are the releases of a model before its desired one, the latest first.
func (b *builder) earlier(name string) []statefile.Model {
	list := slices.Clone(b.in.Prior.Earlier[name])
	deployed, ok := b.in.Prior.Models[name]
	desired := b.desired.Models[name].Release
	if !ok || deployed.Release == desired {
		return list
	}
	list = slices.DeleteFunc(list, func(m statefile.Model) bool { return m.Release == desired })
	list = slices.Insert(list, 0, deployed)
	return list[:min(len(list), max(0, b.in.Config.Settings.KeepReleases-1))]
}

// configures says whether the configuration has all devices of a release.
func (b *builder) configures(m *statefile.Model) bool {
	return !slices.ContainsFunc(ReleaseNodes(m), func(node string) bool { return b.nodes[node] == nil })
}

func (b *builder) keepReleases(name string, list []statefile.Model, alone bool) {
	if b.desired.Earlier == nil {
		b.desired.Earlier = map[string][]statefile.Model{}
	}
	b.desired.Earlier[name] = list
	for i := range list {
		for _, node := range ReleaseNodes(&list[i]) {
			if _, known := b.desired.Nodes[node]; known {
				continue
			}
			if alone {
				b.desired.Nodes[node] = b.in.Prior.Nodes[node]
			} else {
				b.desired.Nodes[node] = b.node(node)
			}
		}
	}
}

// nodesOfModel are the nodes that carry any release of a model of a state, sorted.
func nodesOfModel(s *statefile.State, name string) []string {
	nodes := map[string]bool{}
	releases := s.Earlier[name]
	if m, ok := s.Models[name]; ok {
		releases = append([]statefile.Model{m}, releases...)
	}
	for i := range releases {
		for _, node := range ReleaseNodes(&releases[i]) {
			nodes[node] = true
		}
	}
	return sortedKeys(nodes)
}
