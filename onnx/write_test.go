package onnx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// files are what lies in a folder, by name.
func files(t *testing.T, dir string) map[string]fs.FileInfo {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]fs.FileInfo{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			t.Errorf("%s is no plain file", entry.Name())
		}
		list[entry.Name()] = info
	}
	return list
}

// Slices on disk are those that Slice gives; weights lie under their XXH3 digests; a
// second run with other cuts leaves weights alone and removes slices left over.
func TestWriteSlices(t *testing.T) {
	all, err := modelbuilder.All(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			o := Options{Dimensions: dimensions(m.Name), Shapes: engine(t), NoDigest: true}
			path, dir := write(t, m.Model), filepath.Join(t.TempDir(), "out")
			last := len(mustLoad(t, path, o).Segments) - 1
			checkSlices(t, path, o, dir, []int{1, last})
			before := files(t, dir)
			checkSlices(t, path, o, dir, []int{last / 2})
			after := files(t, dir)
			for name, info := range before {
				if digestName.MatchString(name) && !os.SameFile(info, after[name]) {
					t.Errorf("weight %s was written again", name)
				}
			}
			if _, ok := after["slice-2.onnx"]; ok {
				t.Error("a slice of the first run is left")
			}
		})
	}
}

// checkSlices writes slices and compares the folder with what Slice gives: the same
// graphs but for the names of weights, and the same weights.
func checkSlices(t *testing.T, path string, o Options, dir string, at []int) {
	t.Helper()
	c := mustLoad(t, path, o)
	written, err := c.WriteSlices(t.Context(), dir, at)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for name := range files(t, dir) {
		left[name] = digestName.MatchString(name) // an earlier run may have needed others
	}
	for _, f := range written {
		want, err := c.Slice(f.First, f.Last)
		if err != nil {
			t.Fatal(err)
		}
		left[filepath.Base(f.Path)] = true
		if diff := cmp.Diff(graphOf(t, want.Graph), graphOf(t, read(t, f.Path)), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-slice +file):\n%s", f.Path, diff)
		}
		var got []string
		for _, name := range f.Weights {
			data := read(t, filepath.Join(dir, name))
			if sum := xxh3.Hash128(data).Bytes(); hex.EncodeToString(sum[:]) != name {
				t.Errorf("weight %s has the digest %x", name, sum)
			}
			sum := sha256.Sum256(data)
			got = append(got, hex.EncodeToString(sum[:]))
		}
		slices.Sort(got)
		if diff := cmp.Diff(digests(want), got); diff != "" {
			t.Errorf("weights (-want +got):\n%s", diff)
		}
	}
	for name, known := range left {
		if !known {
			t.Errorf("%s is left over", name)
		}
	}
}

// graphOf reads a model and forgets where its weights are.
func graphOf(t *testing.T, data []byte) *onnxpb.ModelProto {
	t.Helper()
	p := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	err := visitTensors(p.Graph, func(w *onnxpb.TensorProto, _ bool) error {
		for _, e := range w.ExternalData {
			if e.GetKey() == "location" {
				e.Value = nil
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWriteSlicesRefusesBadCuts(t *testing.T) {
	c := smallResNet(t)
	last := len(c.Segments) - 1
	for _, at := range [][]int{{0}, {-1}, {last + 1}, {4, 4}, {5, 3}} {
		_, err := c.WriteSlices(t.Context(), t.TempDir(), at)
		wantError(t, err, c.Path, "cut")
	}
}

// An interrupt leaves no half of a weight under its digest.
func TestWriteSlicesInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := smallResNet(t).WriteSlices(ctx, dir, []int{3}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A file that has a weight's name and size, and something else in it, is found out.
func TestWriteSlicesFindsOtherContent(t *testing.T) {
	c, dir := smallResNet(t), t.TempDir()
	written, err := c.WriteSlices(t.Context(), dir, []int{3})
	if err != nil {
		t.Fatal(err)
	}
	spoilt := filepath.Join(dir, written[0].Weights[0])
	data := read(t, spoilt)
	data[7]++
	put(t, spoilt, data)
	_, err = c.WriteSlices(t.Context(), dir, []int{3})
	wantError(t, err, spoilt, "something else")
}

// Whichever operation fails, the graphs in the folder are of one run, of which some may be
// missing; all old ones are there while new ones are written; and no temporary file stays.
func TestGraphsOfOneRun(t *testing.T) {
	old, next := [][]byte{[]byte("old"), []byte("old"), []byte("old"), []byte("old")}, [][]byte{[]byte("new"), []byte("new"), []byte("new")}
	failure := errors.New("the disk is gone")
	for n := 1; ; n++ {
		dir := t.TempDir()
		if err := graphFilesIn(dir).replace(old); err != nil {
			t.Fatal(err)
		}
		done := 0
		fails := func() bool { done++; return done == n }
		g := graphFiles{dir: dir,
			create: func(dir string, content []byte) (string, error) {
				if fails() {
					return "", failure
				}
				return createGraph(dir, content)
			},
			rename: func(from, to string) error {
				if fails() {
					return failure
				}
				return os.Rename(from, to)
			},
			remove: func(path string) error {
				if fails() {
					return failure
				}
				return os.Remove(path)
			}}
		err := g.replace(next)
		contents := map[string]int{}
		for name := range files(t, dir) {
			if !slicePattern.MatchString(name) {
				t.Errorf("operation %d: %s is left", n, name)
			}
			contents[string(read(t, filepath.Join(dir, name)))]++
		}
		if contents["old"] > 0 && contents["new"] > 0 || n <= len(next) && contents["old"] != len(old) {
			t.Errorf("operation %d: the folder has %v", n, contents)
		}
		if err == nil {
			if contents["new"] != len(next) || n != 2*len(next)+len(old)+1 {
				t.Errorf("%d operations, the folder has %v", n-1, contents)
			}
			return
		}
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
	}
}

// A folder with the name of a slice is found before anything is written.
func TestWriteSlicesRefusesAFolder(t *testing.T) {
	c, dir := smallResNet(t), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "slice-1.onnx"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := c.WriteSlices(t.Context(), dir, []int{3})
	wantError(t, err, filepath.Join(dir, "slice-1.onnx"), "choose another folder")
	if _, err := os.Stat(filepath.Join(dir, "slice-0.onnx")); err == nil {
		t.Error("a slice was written")
	}
}

// What a killed run left goes with the next one; what somebody writes now stays.
func TestWriteSlicesRemovesWhatIsAbandoned(t *testing.T) {
	c, dir := smallResNet(t), t.TempDir()
	left, now := filepath.Join(dir, temporaryPrefix+"1"), filepath.Join(dir, temporaryPrefix+"2")
	put(t, left, []byte("half"))
	put(t, now, []byte("half"))
	before := time.Now().Add(-2 * abandonedAfter)
	if err := os.Chtimes(left, before, before); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteSlices(t.Context(), dir, []int{3}); err != nil {
		t.Fatal(err)
	}
	all := files(t, dir)
	if all[filepath.Base(left)] != nil || all[filepath.Base(now)] == nil {
		t.Errorf("left: %v", all)
	}
}
