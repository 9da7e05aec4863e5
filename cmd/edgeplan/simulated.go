package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/internal/simulation"
)

// simulated is a system with the names of its parts.
type simulated struct {
	system         simulation.System
	devices, media []string
	resources      []string         // what the devices are called among resources
	models         []simulatedModel // one for each of the system
	several        bool             // predictions are of models that run at the same time
	device, medium map[string]int   // index by name
}

// simulatedModel is what a plan or a solution says of a model.
type simulatedModel struct {
	name       string
	predicted  float64 // inferences per second; 0 is without a bound
	bottleneck string
	hops       []hopNames // one for each hop
}

// hopNames are of a hop's ends and of what it goes over; "" for one that goes nowhere.
type hopNames struct{ from, to, over string }

func newSimulated() *simulated { return &simulated{device: map[string]int{}, medium: map[string]int{}} }

// addDevice gives the index of a device, which is made when it is new.
func (s *simulated) addDevice(name, resource string) int {
	v, known := s.device[name]
	if !known {
		v = len(s.devices)
		s.device[name] = v
		s.devices, s.resources = append(s.devices, name), append(s.resources, resource)
		s.system.Devices = append(s.system.Devices, simulation.Device{})
	}
	return v
}

// use is a medium for some seconds; it is made when it is new.
func (s *simulated) use(name string, seconds float64) simulation.Use {
	i, known := s.medium[name]
	if !known {
		i = len(s.media)
		s.medium[name] = i
		s.media = append(s.media, name)
		s.system.Media = append(s.system.Media, simulation.Medium{})
	}
	return simulation.Use{Medium: i, Seconds: seconds}
}

func (s *simulated) add(m simulatedModel, system simulation.Model) {
	s.models, s.several = append(s.models, m), s.several || len(s.models) > 0
	s.system.Models = append(s.system.Models, system)
}

// prepare adds what the command line says of the run.
func (s *simulated) prepare(f *simulateFlags) error {
	if err := s.limitTo(f.targets); err != nil {
		return err
	}
	for name := range f.load.rates {
		if !slices.ContainsFunc(s.models, func(m simulatedModel) bool { return m.name == name }) {
			return fmt.Errorf("-rate: there is no model %q; these are: %s", name, strings.Join(s.modelNames(), ", "))
		}
	}
	for i := range s.system.Models {
		m := &s.system.Models[i]
		m.Load = f.load.of(s.models[i].name, len(m.Stages))
		if f.jitter != nil {
			setJitter(m, *f.jitter)
		}
	}
	return s.addLosses(f.losses)
}

// setJitter lets all times of a model vary alike, instead of as measured.
func setJitter(m *simulation.Model, jitter float64) {
	for k := range m.Stages {
		m.Stages[k].Jitter = jitter
	}
	for k := range m.Hops {
		m.Hops[k].Jitter = jitter
	}
}

func (s *simulated) modelNames() []string {
	var names []string
	for _, m := range s.models {
		names = append(names, m.name)
	}
	return names
}

// limitTo leaves out the models that get no request.
func (s *simulated) limitTo(targets []string) error {
	if len(targets) == 0 {
		return nil
	}
	all, systems := s.models, s.system.Models
	s.models, s.system.Models = nil, nil
	for _, target := range targets {
		name := strings.TrimPrefix(target, "model.")
		i := slices.IndexFunc(all, func(m simulatedModel) bool { return m.name == name })
		if i < 0 {
			s.models = all
			return fmt.Errorf("-target=%s: there is no model %q; these are: %s", target, name, strings.Join(s.modelNames(), ", "))
		}
		if !slices.Contains(s.modelNames(), name) {
			s.add(all[i], systems[i])
		}
	}
	return nil
}

func (s *simulated) addLosses(losses []loss) error {
	for i, l := range losses {
		v, known := s.device[l.node]
		if !known {
			return fmt.Errorf("-lose: %s carries no part of a pipeline; these do: %s", l.node, strings.Join(s.devices, ", "))
		}
		for _, other := range losses[:i] {
			if other.node == l.node && l.at <= other.at+other.away && other.at <= l.at+l.away {
				return fmt.Errorf("-lose: %s is lost while it is away already", l.node)
			}
		}
		s.system.Losses = append(s.system.Losses, simulation.Loss{Device: v, AtSeconds: l.at.Seconds(), Seconds: l.away.Seconds()})
	}
	return nil
}
