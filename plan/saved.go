package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/statefile"
)

// SavedVersion is the version of the saved-plan format that this version writes.
const SavedVersion = 1

// Saved is a plan in a file: all that carrying it out needs, but for the content
// of blobs, which stays in the model files and the collected programs and is
// checked against its digests.
//
// It holds no configuration text and no value of a variable. The configuration
// is there as it was evaluated: devices and models as the state records them.
// What a sensitive variable gave reaches the file only where the state needs it
// too, as in the address of a device.
type Saved struct {
	Plan    *Plan
	Version string // of edgeplan, which wrote it
}

// envelope is the file: the digest is over the version and the compact content,
// so that white space alone is no change.
type envelope struct {
	FormatVersion   int             `json:"format_version"`
	EdgeplanVersion string          `json:"edgeplan_version"`
	Digest          string          `json:"digest"` // sha256, 64 hex digits
	Content         json.RawMessage `json:"content"`
}

// savedContent is the plan without what follows from the rest of it.
type savedContent struct {
	Mode          Mode              `json:"mode"`
	Configuration map[string]string `json:"configuration"`
	Sources       map[string]Source `json:"sources"`
	Configured    []string          `json:"configured_nodes"`
	Prior         *statefile.State  `json:"prior_state"`
	Desired       *statefile.State  `json:"desired_state"`
	Models        []Model           `json:"models"`
	Uploads       []Upload          `json:"uploads"`
	Uplink        float64           `json:"uplink_bytes_per_second,omitempty"`
	Refreshed     bool              `json:"refreshed"`
	Drift         []Drift           `json:"drift"`
	Replacements  []Replacement     `json:"replacements"`
	Targets       []string          `json:"targets"`
	Excluded      []string          `json:"excluded"`
	Disabled      []string          `json:"disabled"`
	Unknown       []string          `json:"unknown_outputs"`
}

// Encode gives the bytes of a saved plan: the same plan gives the same bytes.
func (s *Saved) Encode() ([]byte, error) {
	p := s.Plan
	content, err := encodeCompact(savedContent{
		Mode: p.Mode, Configuration: p.Configuration, Sources: p.Sources, Configured: sortedKeys(p.configured),
		Prior: p.Prior, Desired: p.Desired, Models: p.Models, Uploads: p.Uploads, Uplink: p.Uplink, Refreshed: p.Refreshed,
		Drift: p.Drift, Replacements: p.Replacements, Targets: p.Targets, Unknown: p.unknownOutputs(),
		Excluded: p.Excluded, Disabled: p.Disabled,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return encodeCompact(envelope{SavedVersion, s.Version, seal(s.Version, content), content})
}

// configurationDigests are of the configuration files alone: a file of variables
// may hold nothing but a secret, which its digest would help to guess.
func configurationDigests(c *config.Config) map[string]string {
	digests := map[string]string{}
	for name, file := range c.Sources {
		relative, err := filepath.Rel(c.Dir, name)
		if err == nil && (strings.HasSuffix(name, config.Extension) || strings.HasSuffix(name, config.JSONExtension)) {
			digests[relative] = DigestOf(file.Bytes)
		}
	}
	return digests
}

// DigestOf is the sha256 digest of some content as 64 hex digits.
func DigestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (p *Plan) unknownOutputs() []string {
	var names []string
	for _, o := range p.Outputs {
		if o.Unknown {
			names = append(names, o.Name)
		}
	}
	return names
}

func encodeCompact(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// seal is the digest that tells whether a plan was changed.
func seal(version string, content []byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %q ", SavedVersion, version)
	sum.Write(bytes.TrimSpace(content))
	return hex.EncodeToString(sum.Sum(nil))
}

// What can be wrong with a saved plan.
var (
	ErrNotPlan      = errors.New("this is no saved plan of edgeplan")
	ErrPlanVersion  = errors.New("the plan was written by another version of edgeplan")
	ErrTampered     = errors.New("the plan was changed after it was written")
	ErrInconsistent = errors.New("the plan contradicts itself")
)

// ParseSaved reads a saved plan. The version is that of the running edgeplan: a
// plan of any other is refused with ErrPlanVersion, a changed one with
// ErrTampered, and what never was a plan with ErrNotPlan. The plan's Blobs are
// empty until Reopen.
func ParseSaved(data []byte, version string) (*Saved, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil || e.FormatVersion < 1 || e.Digest == "" || len(e.Content) == 0 {
		return nil, ErrNotPlan
	}
	if e.FormatVersion != SavedVersion || e.EdgeplanVersion != version {
		return nil, fmt.Errorf("%w: by %q, and this is %q", ErrPlanVersion, e.EdgeplanVersion, version)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.Content); err != nil {
		return nil, ErrNotPlan
	}
	if seal(e.EdgeplanVersion, compact.Bytes()) != e.Digest {
		return nil, fmt.Errorf("%w: its content no longer has the digest that was written with it", ErrTampered)
	}
	content, err := decodeContent(e.Content)
	if err != nil {
		return nil, err
	}
	return &Saved{Plan: content.plan(), Version: e.EdgeplanVersion}, nil
}

func decodeContent(data []byte) (*savedContent, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var c savedContent
	if err := decoder.Decode(&c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows its content", ErrInconsistent)
	}
	return &c, c.check()
}

// plan is the content with all that follows from it.
func (c *savedContent) plan() *Plan {
	p := &Plan{Mode: c.Mode, Prior: c.Prior, Desired: c.Desired, Models: c.Models, Uploads: c.Uploads, Uplink: c.Uplink, Blobs: blobs{},
		Drift: c.Drift, Refreshed: c.Refreshed, Replacements: c.Replacements, Targets: c.Targets, Sources: c.Sources,
		Excluded: c.Excluded, Disabled: c.Disabled,
		Configuration: c.Configuration, configured: map[string]bool{}}
	for _, node := range c.Configured {
		p.configured[node] = true
	}
	p.derive()
	p.Outputs = outputChanges(p.Prior, p.Desired, c.Unknown)
	return p
}

// checkState holds a state of the plan to what is asked of one in a file. Only a
// recorded state has a serial.
func checkState(s *statefile.State) error {
	recorded := *s
	recorded.Serial = max(1, s.Serial)
	content, err := statefile.EncodeState(&recorded)
	if err == nil {
		_, err = statefile.Parse("its state", content)
	}
	return err
}

// check refuses what no version of edgeplan writes, also where somebody has
// made the digest fit.
func (c *savedContent) check() error {
	switch c.Mode {
	case Normal, Destroying, RefreshOnly:
	default:
		return fmt.Errorf("%w: its mode is %q", ErrInconsistent, c.Mode)
	}
	if c.Prior == nil || c.Desired == nil {
		return fmt.Errorf("%w: it lacks a state", ErrInconsistent)
	}
	if c.Prior.Lineage != c.Desired.Lineage {
		return fmt.Errorf("%w: its states are of two lineages", ErrInconsistent)
	}
	for _, state := range []*statefile.State{c.Prior, c.Desired} {
		if err := checkState(state); err != nil {
			return fmt.Errorf("%w: %w", ErrInconsistent, err)
		}
	}
	for name, m := range c.Desired.Models {
		for _, node := range ReleaseNodes(&m) {
			if _, ok := c.Desired.Nodes[node]; !ok {
				return fmt.Errorf("%w: model.%s runs on %s, which it does not describe", ErrInconsistent, name, node)
			}
		}
	}
	return c.checkUploads()
}

// checkUploads refuses a copy that comes twice, from two places as like as not.
func (c *savedContent) checkUploads() error {
	type copyOf struct{ node, digest string }
	seen := map[copyOf]bool{}
	for _, u := range c.Uploads {
		at := copyOf{u.Node, u.Blob.Digest}
		if seen[at] {
			return fmt.Errorf("%w: %s gets %q twice", ErrInconsistent, u.Node, u.Blob.Digest)
		}
		seen[at] = true
	}
	return nil
}
