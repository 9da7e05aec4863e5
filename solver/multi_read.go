package solver

import (
	"bytes"
	"encoding/json"
)

// hasModels looks whether a problem file has several models, which decides how its
// nodes are read.
func hasModels(raw json.RawMessage) bool {
	var top struct {
		Models json.RawMessage `json:"models"`
	}
	return json.Unmarshal(raw, &top) == nil && len(top.Models) > 0 && !bytes.Equal(top.Models, []byte("null"))
}

// modelsFields are the fields of a problem with several models. Those of a chain are
// among them to tell where they belong.
func (p *Problem) modelsFields(f *faults) map[string]field {
	fields := p.fields(f)
	for name := range modelFields(f, &Model{}) {
		if name != "name" && name != "required_throughput" {
			fields[name] = misplaced(f)
		}
	}
	fields["nodes"] = objectsInto(f, &p.Nodes, modelsNodeFields, "memory_bytes", "segment_seconds")
	fields["models"] = objectsInto(f, &p.Models, modelFields, "cut_bytes", "segment_bytes")
	return fields
}

func misplaced(f *faults) field {
	return func(path string, _ json.RawMessage) {
		f.add(path, "stands in each of the models when there are models")
	}
}

func modelFields(f *faults, m *Model) map[string]field {
	return map[string]field{
		"name":                into(f, &m.Name),
		"required_throughput": requiredInto(f, &m.RequiredThroughput),
		"segment_names":       listInto(f, &m.SegmentNames),
		"cut_bytes":           listInto(f, &m.CutBytes),
		"segment_bytes":       listInto(f, &m.SegmentBytes),
		"activation_bytes":    listInto(f, &m.ActivationBytes),
		"in_buffers":          into(f, &m.InBuffers),
		"out_buffers":         into(f, &m.OutBuffers),
		"gateway":             gatewayInto(f, &m.Gateway),
		"allowed_cuts":        listInto(f, &m.AllowedCuts),
		"max_stages":          into(f, &m.MaxStages),
		"pinned":              objectsInto(f, &m.Pinned, pinFields, "segment", "node"),
		"excluded_nodes":      listInto(f, &m.ExcludedNodes),
		"start":               objectsInto(f, &m.Start, placedFields, "node", "first_segment", "last_segment"),
	}
}

// requiredInto refuses 0, which stands for 1 in Model.
func requiredInto(f *faults, to *float64) field {
	return func(path string, raw json.RawMessage) {
		before := len(f.all)
		into(f, to)(path, raw)
		if len(f.all) == before && *to == 0 {
			f.add(path, "is 0; it must be above 0")
		}
	}
}

// modelsNodeFields are the fields of a node under several models: its times are
// one list a model.
func modelsNodeFields(f *faults, n *Node) map[string]field {
	fields := nodeFields(f, n)
	fields["segment_seconds"] = listsInto(f, &n.ModelSeconds, func(to *[]float64) field { return listInto(f, to) })
	fields["stage_seconds"] = listInto(f, &n.ModelStageSeconds)
	fields["range_seconds"] = listsInto(f, &n.ModelRanges, func(to *[]Range) field { return rangesInto(f, to) })
	return fields
}

// listsInto reads a list of lists, one for each model.
func listsInto[T any](f *faults, to *[][]T, list func(*[]T) field) field {
	return func(path string, raw json.RawMessage) {
		f.list(path, raw, func(n int) { *to = make([][]T, n) }, func(k int, path string, raw json.RawMessage) {
			list(&(*to)[k])(path, raw)
		})
	}
}
