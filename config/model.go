package config

import (
	"math"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

const (
	defaultOptimization = "extended"
	defaultAlgorithm    = "auto"
	defaultTimeLimit    = 10 * time.Second
	maxThreads          = 1024
	sourceExample       = `source = "models/resnet50.onnx"`
)

func modelType() cty.Type {
	return cty.Object(map[string]cty.Type{
		idAttribute: cty.String, "name": cty.String, "source": cty.String, "gateway": cty.String,
		"optimization": cty.String, "threads": cty.Number, "transfer": cty.String,
		"throughput": cty.Number, "latency": cty.Number, "release": cty.String,
	})
}

// modelRecord is what references to one model see, without its results.
type modelRecord struct {
	name  string
	value keyed
}

// model reads one model and gives what references to it see.
func (f *frame) model(r *reader) cty.Value {
	m := &Model{Address: r.inst.address, Range: r.rng, SourceRange: r.rng, RequireRange: r.rng}
	m.Name = r.modelName()
	m.Source = r.source(m)
	m.Dimensions = r.dimensions()
	m.Gateway, m.Gateways = r.gateway()
	m.Optimization = r.choice("optimization", defaultOptimization, []string{"disabled", "basic", "extended", "all"})
	m.Threads = int(r.whole("threads", 0, maxThreads, 0))
	if m.Transfer = r.choice("transfer", string(transfer.None), transfer.Forms()); m.Transfer == string(transfer.None) {
		m.Transfer = ""
	}
	m.Solver = r.solver()
	r.require(m)
	m.Client = r.client()
	f.config.Models = append(f.config.Models, m)

	r.seen[idAttribute] = cty.StringVal(m.Address)
	r.seen["name"] = cty.StringVal(m.Name)
	r.seen["gateway"] = cty.StringVal(m.Gateway)
	value := withResult(r.object(modelType()), nil)
	f.models[r.d.address] = append(f.models[r.d.address], modelRecord{m.Name, keyed{r.inst.key, value}})
	return value
}

// modelName names the model's folder on devices: its block's name and key, after
// those of the modules it stands in.
func (r *reader) modelName() string {
	name := r.frame.named() + named(r.d.name, r.inst)
	if name == r.d.name {
		return name
	}
	if !modelName.MatchString(name) || len(name) > 2*maxNameBytes {
		r.fault(&r.rng, "Invalid name", "The key of %s names files on the devices. Use keys of the letters a to z, digits, _ and -, of at most %d bytes.", r.inst.address, maxNameBytes)
	}
	return name
}

// named joins a name and the key of an instance: "m-small".
func named(name string, inst instance) string {
	if inst.key == cty.NilVal {
		return name
	}
	key, err := convertTo(inst.key, cty.String)
	if err != nil {
		return name
	}
	return name + "-" + key.AsString()
}

// named begins the names of models in the frame: "site-a-", or nothing in the root.
func (f *frame) named() string {
	if f.parent == nil {
		return ""
	}
	return f.parent.named() + named(f.module.call.name, f.inst) + "-"
}

func (e *evaluator) checkModelNames() {
	first := map[string]*Model{}
	for _, m := range e.config.Models {
		if other, taken := first[m.Name]; taken {
			e.fault(&m.Range, "Duplicate name", "%s and %s (%s) would both be called %q on the devices. Rename one of them.", other.Address, m.Address, other.Range, m.Name)
			continue
		}
		first[m.Name] = m
	}
}

// source finds the model file.
func (r *reader) source(m *Model) string {
	a, ok := r.get("source", cty.String)
	if !ok {
		if isAbsent(r, "source") {
			r.missing("source", sourceExample)
		}
		return ""
	}
	m.SourceRange = *a.at
	path, err := expandPath(r.config.Dir, a.value.AsString())
	if err != nil {
		r.bad("source", a, invalidValue, "source %v.", err)
		return ""
	}
	if _, err := statRegular(path); err != nil {
		r.bad("source", a, "Model file cannot be read", "%v. source is relative to the configuration folder; correct the path, or put the .onnx file there.", err)
		return ""
	}
	r.seen["source"] = cty.StringVal(path)
	return path
}

// dimensions binds symbolic dimensions to sizes.
func (r *reader) dimensions() map[string]int64 {
	const fix = `dimensions = { batch = 1 }`
	a, ok := r.get("dimensions", cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	if ty := a.value.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		r.bad("dimensions", a, wrongType, "dimensions must be names with sizes, not a value of type %s. Write %s.", ty.FriendlyName(), fix)
		return nil
	}
	sizes := map[string]int64{}
	for it := a.value.ElementIterator(); it.Next(); {
		key, value := it.Element()
		n, err := wholeNumber(value, 1, math.MaxInt32)
		if err != nil {
			r.bad("dimensions", a, invalidValue, "The size of dimension %q %v. Write %s.", key.AsString(), err, fix)
			continue
		}
		sizes[key.AsString()] = n
	}
	return sizes
}

// gateway is the node given, or the first enabled one as written, of all of these.
func (r *reader) gateway() (string, []string) {
	v, attr, ok := r.raw("gateway")
	if ok {
		at := attr.Expr.Range().Ptr()
		node, ok := r.nodeAddress(v, at, "gateway")
		if ok && !r.nodes[node].Enabled {
			r.fault(at, "Gateway is disabled", "%s has enabled = false, so no request can enter there. Enable it, or choose another gateway.", node)
		}
		return node, nil
	}
	if attr != nil && !v.IsKnown() {
		return "", nil
	}
	if enabled := r.enabledNodes(); len(enabled) > 0 {
		return enabled[0], enabled
	}
	r.noGateway()
	return "", nil
}

func (r *reader) noGateway() {
	fault := newError(&r.rng, "No enabled node", "%s needs a device to run on, and the configuration has no enabled node. Declare one:\n"+
		"  node \"pi\" {\n    address = \"hall.local\"\n    memory  = \"512MiB\"\n    compute = \"9GFLOPS\"\n  }", r.name)
	// A node whose for_each is faulty explains it better.
	r.unknown = append(r.unknown, fault)
}

func (r *reader) solver() Solver {
	result := Solver{Algorithm: defaultAlgorithm, TimeLimit: defaultTimeLimit}
	s := r.section("solver")
	if s == nil {
		return result
	}
	result.Algorithm = s.choice("algorithm", defaultAlgorithm, []string{"auto", "exact", "greedy", "kpath", "random"})
	if limit, ok := positive(s, "time_limit", quantity.ParseDuration); ok {
		result.TimeLimit = limit
	}
	return result
}

// withResult sets what is known only after a plan.
func withResult(model cty.Value, result *ModelResult) cty.Value {
	attrs := model.AsValueMap()
	attrs["throughput"] = cty.UnknownVal(cty.Number).RefineNotNull()
	attrs["latency"] = cty.UnknownVal(cty.Number).RefineNotNull()
	attrs["release"] = cty.UnknownVal(cty.String).RefineNotNull()
	if result != nil {
		attrs["throughput"] = number(result.Throughput)
		attrs["latency"] = number(result.Latency)
		attrs["release"] = cty.StringVal(result.Release)
	}
	return cty.ObjectVal(attrs)
}

// number is null for what is no number: cty has neither NaN nor, in JSON, infinity.
func number(f float64) cty.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return cty.NullVal(cty.Number)
	}
	return cty.NumberFloatVal(f)
}

func modelValues(records []modelRecord, results map[string]ModelResult) []keyed {
	values := make([]keyed, len(records))
	for i, record := range records {
		values[i] = record.value
		if result, ok := results[record.name]; ok {
			values[i].value = withResult(record.value.value, &result)
		}
	}
	return values
}
