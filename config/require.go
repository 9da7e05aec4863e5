package config

import (
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

// require reads what a plan must reach for a model.
func (r *reader) require(m *Model) {
	s := r.section("require")
	if s == nil {
		return
	}
	m.RequireRange, m.RequireLatencyRange = s.rng, s.rng
	s.requireThroughput(m)
	if limit, ok := positive(s, "latency", quantity.ParseDuration); ok {
		m.RequireLatency = limit
		m.RequireLatencyRange = s.content.Attributes["latency"].Expr.Range()
	}
	m.RequireMessage = s.requireMessage()
	if len(s.content.Attributes) == 0 {
		r.fault(&s.rng, missingArgument, "%s requires nothing. Add a line such as throughput = 12 or latency = \"100ms\", or remove it.", s.name)
	}
}

func (r *reader) requireThroughput(m *Model) {
	a, ok := r.get("throughput", cty.Number)
	if !ok {
		return
	}
	m.RequireThroughput, _ = a.value.AsBigFloat().Float64()
	m.RequireRange = *a.at
	if m.RequireThroughput <= 0 || math.IsInf(m.RequireThroughput, 0) {
		r.bad("throughput", a, invalidValue, "throughput is in inferences per second and must be more than 0. Write throughput = 12, or leave it out.")
	}
}

func (r *reader) requireMessage() string {
	a, ok := r.get("error_message", cty.String)
	if !ok {
		return ""
	}
	if a.sensitive {
		r.bad("error_message", a, invalidValue, "")
		return ""
	}
	return a.value.AsString()
}
