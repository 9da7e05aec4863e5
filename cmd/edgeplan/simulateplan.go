package main

import (
	"errors"
	"fmt"

	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/plan"
)

// simulatedPlan is a plan's desired pipelines, all at once.
func simulatedPlan(p *plan.Plan) (*simulated, error) {
	if len(p.Models) == 0 {
		return nil, errors.New("the plan brings up no pipeline, so there is nothing to simulate")
	}
	s := newSimulated()
	for _, m := range p.Models {
		if err := s.addPlanned(p, m); err != nil {
			return nil, fmt.Errorf("model.%s: %w", m.Name, err)
		}
	}
	return s, nil
}

func (s *simulated) addPlanned(p *plan.Plan, m plan.Model) error {
	desired, ok := p.Desired.Models[m.Name]
	if !ok || len(m.Stages) == 0 {
		return plan.ErrInconsistent
	}
	out := simulatedModel{name: m.Name, predicted: m.ThroughputPerSecond, bottleneck: m.Bottleneck}
	system := simulation.Model{Gateway: s.addDevice(m.Gateway, m.Gateway), Queue: desired.Queue, TimeoutSeconds: desired.TimeoutSeconds,
		Requests: int(plan.GatewayRequests(tensor.TotalBytes(desired.Inputs) + tensor.TotalBytes(desired.Outputs)))}
	at, transfers := m.Gateway, m.Transfers
	for i := range len(m.Stages) + 1 {
		to := m.Gateway
		if i < len(m.Stages) {
			to = m.Stages[i].Node
			system.Stages = append(system.Stages, simulation.Stage{Device: s.addDevice(to, to), Seconds: m.Stages[i].Seconds, Jitter: m.Stages[i].Deviation})
		}
		switch {
		case at == to:
			system.Hops, out.hops = append(system.Hops, simulation.Hop{Local: true}), append(out.hops, hopNames{})
		case len(transfers) == 0 || transfers[0].From != at || transfers[0].To != to:
			return fmt.Errorf("%w: it has no transfer from %s to %s", plan.ErrInconsistent, at, to)
		default:
			system.Hops = append(system.Hops, s.plannedHop(transfers[0]))
			out.hops = append(out.hops, hopNames{at, to, transfers[0].Via})
			transfers = transfers[1:]
		}
		at = to
	}
	s.add(out, system)
	return nil
}

// plannedHop goes over a radio that all transfers share, or over one direction of a link.
func (s *simulated) plannedHop(t plan.Transfer) simulation.Hop {
	medium := fmt.Sprintf("%s, %s -> %s", t.Via, t.From, t.To)
	if t.Shared {
		medium = t.Via
	}
	return simulation.Hop{Bytes: t.Bytes, LatencySeconds: t.LatencySeconds, Uses: []simulation.Use{s.use(medium, t.Seconds)}}
}
