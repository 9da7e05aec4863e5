package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// maxFileBytes bounds manifest.json and peers.json: a thousand tensors or
// neighbours take a tenth of it.
const maxFileBytes = 4 << 20

// ReadManifest reads and checks manifest.json of a release folder.
func ReadManifest(dir string) (Manifest, error) {
	return readFile(filepath.Join(dir, ManifestFile), decodeManifest)
}

// ReadPeers reads and checks peers.json of a release folder.
func ReadPeers(dir string) (Peers, error) {
	return readFile(filepath.Join(dir, PeersFile), decodePeers)
}

func readFile[T any](path string, decode func([]byte) (T, error)) (T, error) {
	var none T
	f, err := os.Open(path)
	if err != nil {
		return none, fmt.Errorf("the release is not complete: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return none, err
	}
	if len(data) > maxFileBytes {
		return none, fmt.Errorf("%s: larger than %d bytes", path, maxFileBytes)
	}
	value, err := decode(data)
	if err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return value, nil
}

// decodeManifest looks at the format version first, so that a newer file is
// called newer, not broken.
func decodeManifest(data []byte) (Manifest, error) {
	var head struct {
		FormatVersion *int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Manifest{}, located(data, err)
	}
	switch {
	case head.FormatVersion == nil:
		return Manifest{}, errors.New("no format_version: this is no manifest of edgeplan")
	case *head.FormatVersion > ManifestVersion:
		return Manifest{}, fmt.Errorf("format version %d is newer than this worker, which reads up to %d: apply with a newer edgeplan to replace the worker", *head.FormatVersion, ManifestVersion)
	case *head.FormatVersion < 1:
		return Manifest{}, fmt.Errorf("format version %d does not exist", *head.FormatVersion)
	}
	var m Manifest
	if err := strict(data, &m); err != nil {
		return Manifest{}, err
	}
	return m, m.check()
}

func decodePeers(data []byte) (Peers, error) {
	var peers Peers
	if err := strict(data, &peers); err != nil {
		return nil, err
	}
	for _, node := range sortedKeys(peers) {
		if _, err := ParsePublicKey(peers[node]); err != nil {
			return nil, fmt.Errorf("%s: %w", node, err)
		}
	}
	return peers, nil
}

// strict decodes one JSON value, without unknown fields and with nothing behind it.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return located(data, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("line %d: something follows the end of the JSON value", line(data, d.InputOffset()))
	}
	return nil
}

// located adds the line to an error of encoding/json where it knows the place.
func located(data []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", line(data, syntax.Offset), err)
	case errors.As(err, &typ):
		return fmt.Errorf("line %d: %w", line(data, typ.Offset), err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the JSON ends too early: %w", err)
	}
	return err
}

func line(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int64(len(data)), offset)], []byte("\n"))
}

// check tells what a manifest lacks; what it lets through cannot make the
// worker fail for another reason than its surroundings.
func (m Manifest) check() error {
	switch {
	case m.Model == "":
		return errors.New("model is empty")
	case m.Release == "":
		return errors.New("release is empty")
	case m.Node == "":
		return errors.New("node is empty")
	case m.Queue < 1 || m.Queue > maxQueue:
		return fmt.Errorf("queue is %d, outside 1 to %d", m.Queue, maxQueue)
	case m.MemoryBytes < 0 || m.MemoryBytes > math.MaxInt64/2:
		return fmt.Errorf("memory_bytes is %d", m.MemoryBytes)
	case m.Stage == nil && m.Gateway == nil:
		return errors.New("neither stage nor gateway: nothing to do")
	}
	if err := checkAddress(m.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if m.Stage != nil {
		if err := m.Stage.check(m); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
	}
	if m.Gateway != nil {
		if err := m.Gateway.check(m); err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
	}
	return nil
}

// maxQueue is far above what helps throughput and keeps a wrong number from
// taking all memory.
const maxQueue = 1024

func (s Stage) check(m Manifest) error {
	if s.Count < 1 || s.Index < 0 || s.Index >= s.Count {
		return fmt.Errorf("index %d of %d stages", s.Index, s.Count)
	}
	if s.Threads < 0 {
		return fmt.Errorf("threads is %d", s.Threads)
	}
	if _, err := ort.ParseLevel(s.Optimization); err != nil {
		return err
	}
	// Only the gateway hands a request over inside a process, so any other
	// neighbour on this very node would wait for itself.
	if s.Previous.Node == m.Node && (s.Index != 0 || m.Gateway == nil) {
		return fmt.Errorf("the previous stage is on %s as well: two stages of one release cannot share a node", m.Node)
	}
	if s.Next.Node == m.Node && (s.Index != s.Count-1 || m.Gateway == nil) {
		return fmt.Errorf("the next stage is on %s as well: two stages of one release cannot share a node", m.Node)
	}
	return errors.Join(checkTensors("inputs", s.Inputs), checkTensors("outputs", s.Outputs),
		s.Previous.check("previous"), s.Next.check("next"))
}

func (g Gateway) check(m Manifest) error {
	if g.First.Node == m.Node && (m.Stage == nil || m.Stage.Index != 0) {
		return errors.New("the first stage is on this node, but the manifest does not have it")
	}
	if g.Last.Node == m.Node && (m.Stage == nil || m.Stage.Index != m.Stage.Count-1) {
		return errors.New("the last stage is on this node, but the manifest does not have it")
	}
	if !(g.TimeoutSeconds > 0 && g.TimeoutSeconds <= maxTimeoutSeconds) {
		return fmt.Errorf("timeout_seconds is %v, outside 0 to %d", g.TimeoutSeconds, maxTimeoutSeconds)
	}
	if g.Requests < 0 {
		return fmt.Errorf("requests is %d", g.Requests)
	}
	if g.Access != nil {
		if err := g.Access.check(); err != nil {
			return fmt.Errorf("access: %w", err)
		}
	}
	return errors.Join(checkTensors("inputs", g.Inputs), checkTensors("outputs", g.Outputs),
		g.First.check("first"), g.Last.check("last"))
}

// maxTimeoutSeconds is a day.
const maxTimeoutSeconds = 86400

func (p Peer) check(role string) error {
	if p.Node == "" {
		return fmt.Errorf("%s: node is empty", role)
	}
	if err := checkAddress(p.Address); err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	return nil
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q: %w", address, err)
	}
	return nil
}

func checkTensors(list string, infos []tensor.Info) error {
	seen := map[string]bool{}
	for i, info := range infos {
		switch {
		case info.Name == "":
			return fmt.Errorf("%s[%d] has no name", list, i)
		case seen[info.Name]:
			return fmt.Errorf("%s: %q is there twice", list, info.Name)
		case info.Type == tensor.Undefined:
			return fmt.Errorf("%s: %q has no type", list, info.Name)
		}
		seen[info.Name] = true
		for _, d := range info.Shape {
			if d < tensor.Unknown {
				return fmt.Errorf("%s: %q has the shape %v", list, info.Name, info.Shape)
			}
		}
	}
	return nil
}
