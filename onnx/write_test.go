package onnx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

// files are the names in a folder, with the digest of each.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			t.Errorf("%s is no plain file", entry.Name())
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		list[entry.Name()] = hex.EncodeToString(sum[:])
	}
	return list
}

// Slices on disk are those that Slice gives; weights lie under their digests; and a
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
			before := stamps(t, dir)
			checkSlices(t, path, o, dir, []int{last / 2})
			after := stamps(t, dir)
			for name, stamp := range before {
				if digestName.MatchString(name) && after[name] != stamp {
					t.Errorf("weight %s was written again", name)
				}
			}
			if _, ok := after["slice-2.onnx"]; ok {
				t.Error("a slice of the first run is left")
			}
		})
	}
}

// checkSlices writes slices and compares the folder with what Slice gives.
func checkSlices(t *testing.T, path string, o Options, dir string, at []int) {
	t.Helper()
	written, err := mustLoad(t, path, o).WriteSlices(t.Context(), dir, at)
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustLoad(t, path, o)
	got := files(t, dir)
	for _, f := range written {
		want, err := fresh.Slice(f.First, f.Last)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(want.Graph)
		if got[filepath.Base(f.Path)] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s differs from the slice", f.Path)
		}
		if diff := cmp.Diff(digests(want), digests(f.Slice)); diff != "" {
			t.Errorf("weights (-want +got):\n%s", diff)
		}
		for _, blob := range want.Weights {
			if got[blob.Digest] != blob.Digest {
				t.Errorf("weight %s has the digest %q", blob.Digest, got[blob.Digest])
			}
		}
	}
	for name := range got {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left over", name)
		}
	}
}

func stamps(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]int64{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		list[entry.Name()] = info.ModTime().UnixNano()
	}
	return list
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
