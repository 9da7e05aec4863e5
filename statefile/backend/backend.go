// Package backend opens the places where a team keeps a state together: a server
// that speaks Terraform's HTTP backend protocol, and any S3 service; and the file
// of one machine.
package backend

import (
	"context"
	"path/filepath"

	"github.com/edgeplan/edgeplan/statefile"
)

// Settings say where a state is kept, as the backend block of a configuration or
// -backend-config does. The zero value is the state file of the folder.
type Settings struct {
	Type string // local, http or s3; "" is local
	// Attributes by name. A list or an object is written as JSON.
	Attributes map[string]string
}

// Open gives the backend that settings describe, for a configuration folder. What
// they do not say comes from the environment: EDGEPLAN_HTTP_PASSWORD is the
// password of backend "http". It reaches nothing.
func Open(ctx context.Context, dir string, s Settings, environment func(string) string) (statefile.Backend, error) {
	kind, err := find(s.Type)
	if err != nil {
		return nil, err
	}
	r := &reader{kind: kind, given: s.Attributes, environment: environment}
	r.checkNames()
	made := kind.open(ctx, r, dir)
	if err := r.err(); err != nil {
		return nil, err
	}
	return made, nil
}

func openLocal(_ context.Context, r *reader, dir string) statefile.Backend {
	path := r.text("path")
	if path == "" {
		path = statefile.StateFile
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return statefile.Local(path)
}
