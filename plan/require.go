package plan

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/solver"
)

// misses says whether a placement falls short of what the model's require block asks.
func misses(model *config.Model, cost *solver.Cost) bool {
	return missesThroughput(model, cost) || missesLatency(model, cost)
}

func missesLatency(model *config.Model, cost *solver.Cost) bool {
	return model.RequireLatency > 0 && cost.LatencySeconds > model.RequireLatency.Seconds()
}

// checkRequired holds a placement against the model's require block.
func (b *builder) checkRequired(p *placed) hcl.Diagnostics {
	return append(b.checkThroughput(p), b.checkLatency(p)...)
}

// checkLatency looks at the placement that was chosen: it is the one of the
// highest throughput, and another one may answer sooner.
func (b *builder) checkLatency(p *placed) hcl.Diagnostics {
	if !missesLatency(p.model, p.solution.Cost) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Required latency is not met",
		Detail: inUsersWords(p.model, fmt.Sprintf("%s requires an answer within %s, and the placement of the highest throughput takes %s over %d stages. Allow more time, add faster nodes or links, or leave slow ones out of the configuration with enabled = false.",
			p.model.Address, quantity.FormatDuration(p.model.RequireLatency), quantity.FormatSeconds(p.solution.Cost.LatencySeconds), len(p.solution.Stages))),
		Subject: p.model.RequireLatencyRange.Ptr(),
	}}
}

// inUsersWords puts what the user wants to be told before what is the matter.
func inUsersWords(model *config.Model, detail string) string {
	if model.RequireMessage == "" {
		return detail
	}
	return model.RequireMessage + "\n\n" + detail
}
