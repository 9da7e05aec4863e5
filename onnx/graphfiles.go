package onnx

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func sliceName(i int) string { return fmt.Sprintf("slice-%d.onnx", i) }

var slicePattern = regexp.MustCompile(`^slice-(0|[1-9][0-9]*)\.onnx$`)

// graphFiles are the graphs of slices in a folder, of one cutting of a model each time.
// The operations that change the folder are replaced by tests.
type graphFiles struct {
	dir    string
	create func(dir string, content []byte) (temporary string, err error)
	rename func(from, to string) error
	remove func(path string) error
}

func graphFilesIn(dir string) graphFiles {
	return graphFiles{dir, createGraph, os.Rename, os.Remove}
}

// createGraph does not wait for the disk, as cp does not: slices can be made again, and
// the disk would have to take all weights first.
func createGraph(dir string, content []byte) (temporary string, err error) {
	return stage(dir, func(out *os.File) error {
		_, err := out.Write(content)
		return err
	})
}

// replace puts graphs in the place of those of an earlier run. Whatever fails, the folder
// has graphs of one of the two only: all are written under temporary names first, and the
// old ones go before the first new one comes. So after a failure some may be missing.
func (g graphFiles) replace(graphs [][]byte) error {
	old, err := g.find()
	if err != nil {
		return err
	}
	var written []string
	defer func() {
		for _, temporary := range written {
			_ = os.Remove(temporary)
		}
	}()
	for _, graph := range graphs {
		temporary, err := g.create(g.dir, graph)
		if err != nil {
			return err
		}
		written = append(written, temporary)
	}
	for _, path := range old {
		if err := g.remove(path); err != nil {
			return err
		}
	}
	for i := 0; len(written) > 0; i, written = i+1, written[1:] {
		if err := g.rename(written[0], filepath.Join(g.dir, sliceName(i))); err != nil {
			return err
		}
	}
	return nil
}

// find gives the graphs that are there. What is no file and has the name of one is not
// this package's.
func (g graphFiles) find() ([]string, error) {
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		path := filepath.Join(g.dir, entry.Name())
		if !slicePattern.MatchString(entry.Name()) {
			continue
		}
		if !entry.Type().IsRegular() && entry.Type() != fs.ModeSymlink {
			return nil, fmt.Errorf("%s is no file, and has the name of a slice: choose another folder", path)
		}
		found = append(found, path)
	}
	return found, nil
}

// temporaryPrefix starts the names of files that are being written.
const temporaryPrefix = ".writing-"

// abandonedAfter is how long nobody writes to a temporary file before it is taken for
// that of a run that was killed.
const abandonedAfter = time.Hour

// removeAbandoned removes what killed runs have left in a folder.
func removeAbandoned(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), temporaryPrefix) || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // it is in nobody's way
		}
	}
	return nil
}
