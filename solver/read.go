package solver

import (
	"encoding/json"
	"io"
)

// ReadProblem reads the JSON problem file. Fields that it does not know are
// refused. Every fault of form, and those that Validate finds, comes as a
// *FieldError with the path of the value and its line and column, joined.
func ReadProblem(r io.Reader) (*Problem, error) {
	src, raw, err := readSource(r)
	if err != nil {
		return nil, err
	}
	p := &Problem{}
	var f faults
	if hasModels(raw) {
		f.object("", raw, p.modelsFields(&f), "models", "nodes", "bandwidth_bytes_per_second")
	} else {
		f.object("", raw, p.fields(&f), "cut_bytes", "segment_bytes", "nodes", "bandwidth_bytes_per_second")
	}
	f.addValidated(p)
	if len(f.all) > 0 {
		return nil, located(src, f.all)
	}
	return p, nil
}

func (p *Problem) fields(f *faults) map[string]field {
	return map[string]field{
		"name":                       into(f, &p.Name),
		"segment_names":              listInto(f, &p.SegmentNames),
		"cut_bytes":                  listInto(f, &p.CutBytes),
		"segment_bytes":              listInto(f, &p.SegmentBytes),
		"activation_bytes":           listInto(f, &p.ActivationBytes),
		"in_buffers":                 into(f, &p.InBuffers),
		"out_buffers":                into(f, &p.OutBuffers),
		"gateway":                    gatewayInto(f, &p.Gateway),
		"nodes":                      objectsInto(f, &p.Nodes, nodeFields, "memory_bytes", "segment_seconds"),
		"bandwidth_bytes_per_second": rowsInto(f, &p.Bandwidth),
		"latency_seconds":            rowsInto(f, &p.Latency),
		"shared":                     objectsInto(f, &p.Shared, sharedFields, "pairs"),
		"allowed_cuts":               listInto(f, &p.AllowedCuts),
		"max_stages":                 into(f, &p.MaxStages),
		"pinned":                     objectsInto(f, &p.Pinned, pinFields, "segment", "node"),
		"excluded_nodes":             listInto(f, &p.ExcludedNodes),
		"overlap":                    p.overlapField(f),
		"start":                      objectsInto(f, &p.Start, placedFields, "node", "first_segment", "last_segment"),
		"models":                     objectsInto(f, &p.Models, modelFields, "cut_bytes", "segment_bytes"),
	}
}

func gatewayInto(f *faults, to **int) field {
	return func(path string, raw json.RawMessage) {
		*to = new(int)
		into(f, *to)(path, raw)
	}
}

func (p *Problem) overlapField(f *faults) field {
	return func(path string, raw json.RawMessage) {
		p.Overlap = new(bool)
		into(f, p.Overlap)(path, raw)
	}
}

func nodeFields(f *faults, n *Node) map[string]field {
	return map[string]field{
		"name":                     into(f, &n.Name),
		"memory_bytes":             into(f, &n.MemoryBytes),
		"base_bytes":               into(f, &n.BaseBytes),
		"segment_seconds":          listInto(f, &n.SegmentSeconds),
		"cpu_seconds_per_byte":     into(f, &n.CPUSecondsPerByte),
		"stage_seconds":            into(f, &n.StageSeconds),
		"send_bytes_per_second":    into(f, &n.SendBytesPerSecond),
		"receive_bytes_per_second": into(f, &n.ReceiveBytesPerSecond),
		"range_seconds":            rangesInto(f, &n.RangeSeconds),
	}
}

func sharedFields(f *faults, s *Shared) map[string]field {
	return map[string]field{"name": into(f, &s.Name), "pairs": pairsInto(f, &s.Pairs)}
}

func pinFields(f *faults, p *Pin) map[string]field {
	return map[string]field{"segment": into(f, &p.Segment), "node": into(f, &p.Node)}
}

func placedFields(f *faults, s *Placed) map[string]field {
	return map[string]field{
		"node":          into(f, &s.Node),
		"first_segment": into(f, &s.FirstSegment),
		"last_segment":  into(f, &s.LastSegment),
	}
}
