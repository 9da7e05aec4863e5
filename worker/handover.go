package worker

import (
	"context"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// handover is the way between the gateway and a stage of the same process. The
// cut and the model may list tensors in different orders, and the model may have
// inputs that no stage reads, so the receiver's own tensors are picked, as they
// are from a message of another node.
type handover struct {
	wanted []tensor.Info
	to     sink
}

func (h handover) put(ctx context.Context, m *message) error {
	if m.err == nil && !m.gap {
		m.take(m.tensors, h.wanted)
	}
	return h.to.put(ctx, m)
}
