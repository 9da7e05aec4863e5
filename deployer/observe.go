package deployer

import (
	"context"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// WorkerReport is what the worker of a deployed model on one node says of itself.
type WorkerReport struct {
	Node string
	// Err is why it says nothing: a *DeviceError when the device or the worker
	// cannot be asked.
	Err     error
	Ready   bool   // it takes requests; on the gateway, also that both ends of the pipeline are connected
	Metrics []byte // in Prometheus' text format
}

// ReportWorkers asks all workers of a deployed model, in the order of the
// pipeline, the gateway first when it has no stage. Devices that do not answer do
// not keep the others from being asked.
func ReportWorkers(ctx context.Context, state *statefile.State, model string, o Options) []WorkerReport {
	o = o.withDefaults()
	m := state.Models[model]
	nodes := pipelineOrder(&m)
	reports := make([]WorkerReport, len(nodes))
	at := map[string]int{}
	for i, node := range nodes {
		at[node], reports[i].Node = i, node
	}
	_ = each(nodes, o.Devices, func(node string) error {
		r := &reports[at[node]]
		r.Err = r.ask(ctx, state, model, &m, o)
		return nil
	})
	return reports
}

// pipelineOrder are the nodes of a release as its requests meet them.
func pipelineOrder(m *statefile.Model) []string {
	var nodes []string
	for _, slice := range m.Slices {
		nodes = append(nodes, slice.Node)
	}
	if len(plan.ReleaseNodes(m)) > len(nodes) {
		nodes = append([]string{m.Gateway}, nodes...)
	}
	return nodes
}

func (r *WorkerReport) ask(ctx context.Context, state *statefile.State, model string, m *statefile.Model, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, o.AnswerTimeout)
	defer cancel()
	conn, err := DialWorker(ctx, state, model, r.Node, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	client, err := worker.NewClient(conn)
	if err != nil {
		return err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if r.Ready, err = client.ModelReady(ctx, componentOf(model, m, r.Node), m.Release); err == nil {
		r.Metrics, err = client.Metrics(ctx)
	}
	if err != nil {
		return &DeviceError{Node: r.Node, Err: err}
	}
	return nil
}

// componentOf is what a node's worker is asked about: the whole pipeline on the
// gateway, else its stage.
func componentOf(model string, m *statefile.Model, node string) string {
	if node == m.Gateway {
		return model
	}
	for i, slice := range m.Slices {
		if slice.Node == node {
			return worker.StageName(model, i)
		}
	}
	return model
}
