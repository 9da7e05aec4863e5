package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// RecordFile in the work folder remembers the backend in use.
const RecordFile = "backend.json"

// recordVersion is the format of RecordFile that is written.
const recordVersion = 1

// Record is the backend in use, as init left it. No secret is in it: those come
// from the configuration, the files named here, or the environment each time.
type Record struct {
	// Settings in use, without secrets.
	Settings Settings
	// Configured is what the backend block said then, without secrets and without
	// what -backend-config added; of Type "" when there was no block.
	Configured Settings
	// Files are those of -backend-config=FILE, absolute. They may hold secrets.
	Files []string
}

// recordFile is a Record as it is written.
type recordFile struct {
	FormatVersion  int               `json:"format_version"`
	Type           string            `json:"type"`
	Attributes     map[string]string `json:"attributes,omitempty"`
	ConfiguredType string            `json:"configured_type,omitempty"`
	Configured     map[string]string `json:"configured,omitempty"`
	Files          []string          `json:"files,omitempty"`
}

// Recall reads the record of a work folder; nil where there is none.
func Recall(workDir string) (*Record, error) {
	path := filepath.Join(workDir, RecordFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which backend is in use: %w", err)
	}
	var file recordFile
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil || file.FormatVersion != recordVersion {
		return nil, fmt.Errorf("%s: it does not say which backend is in use as this edgeplan writes it; `edgeplan init -reconfigure` writes it anew", path)
	}
	return &Record{Settings{file.Type, file.Attributes}, Settings{file.ConfiguredType, file.Configured}, file.Files}, nil
}

// Remember writes the record of a work folder, which it creates where needed.
func Remember(workDir string, r Record) error {
	if err := os.MkdirAll(workDir, 0o755); err != nil {
		return err
	}
	settings := r.Settings.WithoutSecrets()
	file := recordFile{FormatVersion: recordVersion, Type: settings.Type, Attributes: settings.Attributes, Files: r.Files}
	if r.Configured.Type != "" {
		configured := r.Configured.WithoutSecrets()
		file.ConfiguredType, file.Configured = configured.Type, configured.Attributes
	}
	content, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(workDir, RecordFile), append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("remember which backend is in use: %w", err)
	}
	return nil
}

// Forget removes the record of a work folder: the state is the file of the folder.
func Forget(workDir string) error {
	err := os.Remove(filepath.Join(workDir, RecordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
