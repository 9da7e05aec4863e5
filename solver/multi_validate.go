package solver

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The range of a required throughput, wide enough for any device and narrow enough
// for times to be counted.
const (
	leastRequired = 1e-6
	mostRequired  = 1e9
)

// validateModels is Validate for a problem with several models: each must be valid
// with the cluster to itself, and their sums must not overflow.
func (p *Problem) validateModels() error {
	var f faults
	p.checkNoChain(&f)
	p.checkModelNames(&f)
	p.checkModelTimes(&f)
	for k := range p.Models {
		p.checkModel(&f, k)
	}
	if len(f.all) == 0 {
		p.checkModelSums(&f)
	}
	return errors.Join(f.unique()...)
}

// checkNoChain finds what belongs in the models.
func (p *Problem) checkNoChain(f *faults) {
	const where = "stands in each of the models when there are models"
	for path, given := range map[string]bool{
		"cut_bytes": p.CutBytes != nil, "segment_bytes": p.SegmentBytes != nil, "activation_bytes": p.ActivationBytes != nil,
		"segment_names": p.SegmentNames != nil, "in_buffers": p.InBuffers != 0, "out_buffers": p.OutBuffers != 0,
		"gateway": p.Gateway != nil, "allowed_cuts": p.AllowedCuts != nil, "max_stages": p.MaxStages != 0,
		"pinned": p.Pinned != nil, "excluded_nodes": p.ExcludedNodes != nil, "start": p.Start != nil, "held_bytes": p.HeldBytes != nil,
	} {
		if given {
			f.add(path, where)
		}
	}
	f.sort()
	if len(p.Models) == 0 {
		f.add("models", "is empty; at least one model is needed, or the fields of one chain instead of models")
	}
}

func (p *Problem) checkModelNames(f *faults) {
	seen := map[string]int{}
	for k, m := range p.Models {
		if other, twice := seen[m.Name]; twice && m.Name != "" {
			f.add(fmt.Sprintf("models[%d].name", k), "%q is the name of models[%d] too", m.Name, other)
		}
		seen[m.Name] = k
		path := fmt.Sprintf("models[%d].required_throughput", k)
		if r := m.required(); !(r >= leastRequired && r <= mostRequired) {
			f.add(path, "%g is not between %g and %g inferences per second", r, float64(leastRequired), float64(mostRequired))
		}
		if base := m.NodeBaseBytes; base != nil {
			path := fmt.Sprintf("models[%d].node_base_bytes", k)
			f.length(path, len(base), len(p.Nodes), "node")
			f.amounts(path, base)
		}
	}
}

// checkModelTimes makes sure that every node has one list of times a model.
func (p *Problem) checkModelTimes(f *faults) {
	for v, node := range p.Nodes {
		path := fmt.Sprintf("nodes[%d]", v)
		if node.SegmentSeconds != nil {
			f.add(path+".segment_seconds", "must be a list of lists, one for each model")
		} else {
			f.length(path+".segment_seconds", len(node.ModelSeconds), len(p.Models), "model")
		}
		if node.StageSeconds != 0 {
			f.add(path+".stage_seconds", "must be a list, one for each model")
		} else if node.ModelStageSeconds != nil {
			f.length(path+".stage_seconds", len(node.ModelStageSeconds), len(p.Models), "model")
		}
		if node.RangeSeconds != nil {
			f.add(path+".range_seconds", "must be a list of lists, one for each model")
		} else if node.ModelRanges != nil {
			f.length(path+".range_seconds", len(node.ModelRanges), len(p.Models), "model")
		}
	}
}

// checkModel looks at one model alone. What is wrong with the cluster comes up with
// every model, and is told once.
func (p *Problem) checkModel(f *faults, k int) {
	for _, node := range p.Nodes {
		if k >= len(node.ModelSeconds) {
			return // told already
		}
	}
	f.alone(k, p.Alone(k).Validate())
}

// checkModelSums makes sure that the models together overflow nothing: each may
// take its share, times a model's required throughput.
func (p *Problem) checkModelSums(f *faults) {
	for k := range p.Models {
		f.alone(k, p.alone(k, p.Models[k].required()*float64(len(p.Models))).Validate())
	}
	total := 0.0
	for k := range p.Models {
		m := p.Alone(k)
		for _, n := range m.SegmentBytes {
			total += float64(n)
		}
		var most, live float64
		for _, n := range m.CutBytes {
			most = max(most, float64(n))
		}
		for _, n := range m.ActivationBytes {
			live = max(live, float64(n))
		}
		base := 0.0
		for _, node := range m.Nodes {
			base = max(base, float64(node.BaseBytes))
		}
		total += base + live + most*(float64(m.InBuffers)+float64(m.OutBuffers))
		if total > math.MaxInt64/2 {
			f.add(fmt.Sprintf("models[%d].segment_bytes", k), "the memory of the models together overflows: %g bytes", total)
			return
		}
	}
}

// alone takes the faults of model k alone in, at their paths in the problem file.
func (f *faults) alone(k int, err error) {
	if err == nil {
		return
	}
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		fault := *one.(*FieldError)
		fault.Path = pathAlone(fault.Path, k)
		f.all = append(f.all, &fault)
	}
}

// pathAlone is where a field of model k alone stands in the problem file.
func pathAlone(path string, k int) string {
	for _, times := range []string{"].segment_seconds", "].range_seconds"} {
		if node, rest, ok := strings.Cut(path, times); ok {
			return fmt.Sprintf("%s%s[%d]%s", node, times, k, rest)
		}
	}
	for _, of := range []string{"nodes", "bandwidth_bytes_per_second", "latency_seconds", "shared"} {
		if path == of || strings.HasPrefix(path, of+"[") {
			return path
		}
	}
	return fmt.Sprintf("models[%d].%s", k, path)
}

// unique are the faults, those at one path and of one kind once.
func (f *faults) unique() []error {
	var out []error
	seen := map[string]bool{}
	for _, err := range f.all {
		if text := err.Error(); !seen[text] {
			seen[text] = true
			out = append(out, err)
		}
	}
	return out
}

func (f *faults) sort() {
	slices.SortFunc(f.all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}
