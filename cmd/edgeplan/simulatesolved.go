package main

import (
	"cmp"
	"math"
	"slices"

	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
)

// simulatedProblem is what a problem's placements cost, as a system: one pipeline for each
// model, or one in all.
func simulatedProblem(p *solver.Problem, placements [][]solver.Placed) (*simulated, error) {
	s := newSimulated()
	if p.Models == nil {
		cost, err := solver.Evaluate(p, placements[0])
		if err != nil {
			return nil, err
		}
		s.addSolved(p, placements[0], cost, simulatedModel{
			name: cmp.Or(p.Name, "problem"), predicted: 1 / cost.BottleneckSeconds, bottleneck: p.ResourceName(cost.Bottleneck),
		})
		return s, nil
	}
	cost, err := solver.EvaluateModels(p, placements)
	if err != nil {
		return nil, err
	}
	for k, stages := range placements {
		s.addSolved(p.Alone(k), stages, cost.Models[k].Alone, simulatedModel{
			name: p.ModelName(k), predicted: cost.Models[k].Throughput, bottleneck: p.ResourceName(cost.Bottleneck),
		})
	}
	return s, nil
}

// addSolved adds a placement with the times of its cost.
func (s *simulated) addSolved(p *solver.Problem, stages []solver.Placed, cost *solver.Cost, m simulatedModel) {
	if math.IsInf(m.predicted, 0) {
		m.predicted = 0
	}
	system := simulation.Model{Gateway: -1, Queue: plan.DefaultQueue}
	gateway := -1
	if p.Gateway != nil {
		gateway = *p.Gateway
		system.Gateway = s.addNode(p, gateway)
	}
	at, transfers := gateway, cost.Transfers
	for i := range len(stages) + 1 {
		to := gateway
		if i < len(stages) {
			to = stages[i].Node
		}
		hop, names := simulation.Hop{Local: true}, hopNames{}
		if at != to && at >= 0 && to >= 0 {
			hop, names = s.solvedHop(p, transfers[0])
			transfers = transfers[1:]
		}
		system.Hops, m.hops = append(system.Hops, hop), append(m.hops, names)
		at = to
	}
	for i, st := range stages {
		// The simulation adds itself what moving takes of the processor.
		moved := p.Nodes[st.Node].CPUSecondsPerByte * float64(system.Hops[i].Bytes+system.Hops[i+1].Bytes)
		system.Stages = append(system.Stages, simulation.Stage{Device: s.addNode(p, st.Node), Seconds: max(0, cost.Stages[i].Seconds-moved)})
	}
	s.add(m, system)
}

func (s *simulated) addNode(p *solver.Problem, v int) int {
	i := s.addDevice(p.NodeName(v), p.ResourceName(solver.Resource{Kind: solver.NodeResource, From: v}))
	s.system.Devices[i].ByteSeconds = p.Nodes[v].CPUSecondsPerByte
	return i
}

// solvedHop goes over a link or its shared networks, and over the interfaces that have a
// rate of their own.
func (s *simulated) solvedHop(p *solver.Problem, t solver.Transfer) (simulation.Hop, hopNames) {
	h := simulation.Hop{Bytes: t.Bytes, LatencySeconds: t.Latency}
	names := hopNames{from: p.NodeName(t.From), to: p.NodeName(t.To)}
	for _, r := range resourcesOf(p, t) {
		name := p.ResourceName(r)
		h.Uses = append(h.Uses, s.use(name, r.Seconds))
		names.over = cmp.Or(names.over, name)
	}
	return h, names
}

// resourcesOf are what a transfer keeps busy beside the nodes, and for how long.
func resourcesOf(p *solver.Problem, t solver.Transfer) []solver.Resource {
	var all []solver.Resource
	add := func(kind solver.ResourceKind, from, to int, rate float64) {
		if rate > 0 {
			all = append(all, solver.Resource{Kind: kind, From: from, To: to, Seconds: float64(t.Bytes) / rate})
		}
	}
	rate := p.Bandwidth[t.From][t.To]
	for i, medium := range p.Shared {
		if slices.Contains(medium.Pairs, [2]int{t.From, t.To}) {
			add(solver.NetworkResource, i, 0, rate)
		}
	}
	if len(all) == 0 {
		add(solver.LinkResource, t.From, t.To, rate)
	}
	add(solver.InterfaceResource, t.From, solver.InterfaceOut, p.Nodes[t.From].SendBytesPerSecond)
	add(solver.InterfaceResource, t.To, solver.InterfaceIn, p.Nodes[t.To].ReceiveBytesPerSecond)
	return all
}
