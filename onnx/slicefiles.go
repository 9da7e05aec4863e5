package onnx

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// SliceFile is a slice that WriteSlices has written.
type SliceFile struct {
	Path            string // of the model; its weights are files beside it
	First, Last     int    // segments, both included
	Inputs, Outputs []tensor.Info
	Weights         []string // names of the files with its weights, sorted
	WeightBytes     int64    // their size
}

// WriteSlices cuts the chain before each of the given segments and writes the slices
// into a folder as slice-0.onnx, slice-1.onnx and so on, with their weights beside
// them as plain files, which slices share. A weight is named by the XXH3 digest of its
// elements: next to copying, SHA-256 would take most of the time. One that the folder
// has already stays as it is. Slices that an earlier run left there are replaced: a mixture of
// two runs is never left, and after a failure while they are, some or all may be missing.
func (c *Chain) WriteSlices(ctx context.Context, dir string, at []int) ([]SliceFile, error) {
	if err := c.checkCuts(at); err != nil {
		return nil, err
	}
	if err := c.checkFolder(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := removeAbandoned(dir); err != nil {
		return nil, err
	}
	names, err := c.writeWeights(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("writing the weights of %s: %w", c.Path, err)
	}
	var files []SliceFile
	var graphs [][]byte
	first := 0
	for _, end := range append(slices.Clone(at), len(c.Segments)) {
		s, err := c.slice(first, end-1, func(p *payload) (string, error) { return names[p], nil })
		if err != nil {
			return nil, err
		}
		f := SliceFile{Path: filepath.Join(dir, sliceName(len(files))), First: first, Last: end - 1, Inputs: s.Inputs, Outputs: s.Outputs}
		for _, blob := range s.Weights {
			f.Weights, f.WeightBytes = append(f.Weights, blob.Digest), f.WeightBytes+blob.Size
		}
		files, graphs, first = append(files, f), append(graphs, s.Graph), end
	}
	return files, graphFilesIn(dir).replace(graphs)
}

// checkFolder refuses to replace the model that is cut, where that is a slice itself.
func (c *Chain) checkFolder(dir string) error {
	model, err := os.Stat(c.Path)
	if err != nil {
		return err
	}
	beside, err := os.Stat(filepath.Join(dir, filepath.Base(c.Path)))
	if err == nil && slicePattern.MatchString(beside.Name()) && os.SameFile(model, beside) {
		return fmt.Errorf("%s is a slice in %s, which new slices would replace: choose another folder", c.Path, dir)
	}
	return nil
}

// checkCuts wants positions in order, each inside the chain, where tensors cross.
func (c *Chain) checkCuts(at []int) error {
	for i, b := range at {
		if b < 1 || b >= len(c.Segments) {
			return fmt.Errorf("%s: no cut at %d: its %d nodes can be cut at 1 to %d", c.Path, b, len(c.Segments), len(c.Segments)-1)
		}
		if i > 0 && b <= at[i-1] {
			return fmt.Errorf("%s: cut %d after cut %d: give positions in increasing order, each once", c.Path, b, at[i-1])
		}
		if reason := c.model.unsliceable(c.Cuts[b].Tensors); reason != "" {
			return fmt.Errorf("%s: no cut at %d: %s%s", c.Path, b, reason, c.nearby(b))
		}
	}
	return nil
}

// nearby names the closest positions around one that can be cut.
func (c *Chain) nearby(b int) string {
	var list []string
	possible := func(b int) bool { return c.model.unsliceable(c.Cuts[b].Tensors) == "" }
	for before := b - 1; before > 0; before-- {
		if possible(before) {
			list = append(list, fmt.Sprint(before))
			break
		}
	}
	for after := b + 1; after < len(c.Segments); after++ {
		if possible(after) {
			list = append(list, fmt.Sprint(after))
			break
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "; the nearest that can be is " + strings.Join(list, ", or ")
}

// writeWeights writes every weight that a slice refers to, and gives their names.
func (c *Chain) writeWeights(ctx context.Context, dir string) (map[*payload]string, error) {
	sizes, err := weightSizes(dir)
	if err != nil {
		return nil, err
	}
	w := &weightWriter{dir: dir, sizes: sizes, names: map[*payload]string{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	for _, t := range c.model.separateWeights() {
		group.Go(func() error {
			if err := w.write(ctx, c.model.payloads[t]); err != nil {
				return fmt.Errorf("tensor %q: %w", t.GetName(), err)
			}
			return nil
		})
	}
	return w.names, group.Wait()
}

var digestName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// weightSizes are the sizes of the weights that a folder has.
func weightSizes(dir string) (map[int64]bool, error) {
	sizes := map[int64]bool{}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if !digestName.MatchString(entry.Name()) {
			continue
		}
		if info, err := entry.Info(); err == nil {
			sizes[info.Size()] = true
		}
	}
	return sizes, err
}

// separateWeights are the tensors that slices keep outside of their graphs and read,
// in the order of the file.
func (m *model) separateWeights() []*onnxpb.TensorProto {
	var list []*onnxpb.TensorProto
	s := &slicer{model: m, needed: map[int]bool{}}
	s.collect(m.order, m.describe(m.graph.outputs))
	add := func(t *onnxpb.TensorProto) {
		if p := m.payloads[t]; p != nil && !p.inline() {
			list = append(list, t)
		}
	}
	for _, t := range m.proto.Graph.Initializer {
		if s.needed[m.graph.index[t.GetName()]] {
			add(t)
		}
	}
	for _, at := range s.nodes {
		for _, body := range bodies(m.graph.nodes[at].NodeProto) {
			visitWeights(body, add)
		}
	}
	return list
}
