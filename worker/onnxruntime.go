package worker

import (
	"path/filepath"

	"github.com/edgeplan/edgeplan/internal/ort"
)

// openONNXRuntime loads the slice of a release folder with the engine that lies
// beside it. Prepacking stays off: weights then remain pages of their files,
// which the system can take back, instead of being in memory twice.
func openONNXRuntime(dir string, stage Stage) (engine, error) {
	level, err := ort.ParseLevel(stage.Optimization)
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir) // dlopen would look for a bare name elsewhere
	if err != nil {
		return nil, err
	}
	library, err := ort.Open(filepath.Join(dir, EngineFile))
	if err != nil {
		return nil, err
	}
	session, err := library.NewSession(filepath.Join(dir, GraphFile), ort.SessionOptions{
		Level: level, Threads: stage.Threads, Prepack: false,
	})
	if err != nil {
		return nil, err
	}
	return session, nil
}
