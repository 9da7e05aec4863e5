package plan

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// What can have changed since a plan was saved.
var (
	ErrStale          = errors.New("the state has moved on since the plan was made")
	ErrModelChanged   = errors.New("a model file changed since the plan was made")
	ErrProgramChanged = errors.New("the collected programs changed since the plan was made")
	ErrDeviceChanged  = errors.New("a device changed since the plan was made")
)

// CheckState refuses a plan that was made from another state than this one.
// Where nothing has been recorded yet a lineage means nothing.
func (p *Plan) CheckState(now *statefile.State) error {
	if p.Prior.Serial == 0 && now.Serial == 0 {
		return nil
	}
	if p.Prior.Lineage != now.Lineage && p.Prior.Serial > 0 && now.Serial > 0 {
		return fmt.Errorf("%w: the plan is of lineage %s, and the state is of lineage %s, another deployment", ErrStale, p.Prior.Lineage, now.Lineage)
	}
	if p.Prior.Serial != now.Serial {
		return fmt.Errorf("%w: the plan was made from serial %d, and the state is at serial %d", ErrStale, p.Prior.Serial, now.Serial)
	}
	before, err1 := statefile.EncodeState(p.Prior)
	found, err2 := statefile.EncodeState(now)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !bytes.Equal(before, found) {
		return fmt.Errorf("%w: its serial is still %d, and its content was edited", ErrStale, now.Serial)
	}
	return nil
}

// CheckDevices refuses a plan when what is found on the devices now is not what
// was found when it was made. A plan that asked no device is not checked.
func (p *Plan) CheckDevices(now []Drift) error {
	if !p.Refreshed || slices.Equal(p.Drift, now) {
		return nil
	}
	var news []string
	for _, d := range now {
		if !slices.Contains(p.Drift, d) {
			news = append(news, fmt.Sprintf("%s: model.%s: %s", d.Node, d.Model, d.Problem))
		}
	}
	for _, d := range p.Drift {
		if !slices.Contains(now, d) {
			news = append(news, fmt.Sprintf("%s: model.%s: no longer so: %s", d.Node, d.Model, d.Problem))
		}
	}
	return fmt.Errorf("%w: %s", ErrDeviceChanged, strings.Join(news, "; "))
}

// Wanted are the models whose files carrying out the plan reads.
func (p *Plan) Wanted() []string {
	var names []string
	for _, d := range p.Deployments {
		if d.To != nil {
			names = append(names, d.Model)
		}
	}
	return names
}

// Reopen gives a plan that was read from a file the content of its blobs again:
// of the wanted models, and of worker and engine by architecture. It fails with
// ErrModelChanged or ErrProgramChanged where these are not what was planned.
func (p *Plan) Reopen(chains map[string]*onnx.Chain, workers, engines map[string]Program) error {
	content := blobs{}
	for _, name := range p.Wanted() {
		m := p.Desired.Models[name]
		if err := content.addModel(name, &m, chains[name]); err != nil {
			return err
		}
		if err := content.addPrograms(p.Desired, &m, workers, engines); err != nil {
			return err
		}
	}
	p.Blobs = content
	return nil
}

func (b blobs) addModel(name string, m *statefile.Model, chain *onnx.Chain) error {
	if chain == nil || chain.Digest != m.SourceDigest {
		return fmt.Errorf("%w: model.%s", ErrModelChanged, name)
	}
	for i, slice := range m.Slices {
		if slice.FirstSegment < 0 || slice.LastSegment >= len(chain.Segments) || slice.FirstSegment > slice.LastSegment {
			return fmt.Errorf("%w: %s is of segments that model.%s does not have", ErrInconsistent, sliceAddress(name, i), name)
		}
		cut, err := chain.Slice(slice.FirstSegment, slice.LastSegment)
		if err != nil {
			return err
		}
		graph, weights := b.keep(cut)
		if graph != slice.Graph || !reflect.DeepEqual(weights, slice.Weights) {
			return fmt.Errorf("%w: %s is cut differently now", ErrModelChanged, sliceAddress(name, i))
		}
	}
	return nil
}

func (b blobs) addPrograms(s *statefile.State, m *statefile.Model, workers, engines map[string]Program) error {
	for _, node := range sortedKeys(m.Programs) {
		arch := s.Nodes[node].Architecture
		for _, blob := range m.Programs[node] {
			program := workers[arch]
			if blob.Name == worker.EngineFile {
				program = engines[arch]
			}
			if program.Digest != blob.Digest || program.Size != blob.Size {
				return fmt.Errorf("%w: %s for %s", ErrProgramChanged, blob.Name, arch)
			}
			b[blob.Digest] = openFile(program.Path)
		}
	}
	return nil
}
