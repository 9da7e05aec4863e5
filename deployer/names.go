package deployer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// sumsFile lists the digests of a release's blobs, as sha256sum writes them. It
// is what tells which blobs are still referred to.
const sumsFile = "SHA256SUMS"

const (
	releasesDir = "releases"
	currentLink = worker.CurrentLink
	temporary   = worker.TemporaryPrefix
	unfinished  = ".tmp" // suffix of a release that is being built
)

// DeploymentName is the folder of a model's deployment on every device: the
// model and the start of the state's lineage, so that two states may use one
// device.
func DeploymentName(model, lineage string) string {
	return safeName(model) + lineageSuffix(lineage)
}

// lineageSuffix ends the names of all deployments of one state.
func lineageSuffix(lineage string) string {
	return "-" + safeName(lineage[:min(8, len(lineage))])
}

// safeName keeps what is plain in a file name. What had to be changed gets a
// digest, so that different names stay different.
func safeName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	if plain == name && name != "" && name[0] != '-' && len(name) <= 100 {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "_" + plain[:min(len(plain), 60)] + "_" + hex.EncodeToString(sum[:4])
}

// Paths on a device.

func (s *site) blobs() string                { return path.Join(s.root, "blobs", "sha256") }
func (s *site) blob(digest string) string    { return path.Join(s.blobs(), digest) }
func (s *site) key() string                  { return path.Join(s.root, worker.KeyFile) }
func (s *site) deployment(dep string) string { return path.Join(s.root, dep) }
func (s *site) current(dep string) string    { return path.Join(s.root, dep, currentLink) }
func (s *site) release(dep, id string) string {
	return path.Join(s.root, dep, releasesDir, id)
}

var (
	digestPattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	releasePattern = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_-]{0,99}$`)
	leasePattern   = regexp.MustCompile(`^lease\.[1-9][0-9]{0,8}$`)
	filePattern    = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z._+-]{0,199}$`)
)

// checkPlan refuses what must never become part of a path on a device, since
// state files are foreign input, and what could not be recorded once it is done.
func checkPlan(p *plan.Plan) error {
	var problems []error
	for _, d := range p.Deployments {
		for _, m := range []*statefile.Model{d.From, d.To} {
			if m != nil {
				problems = append(problems, checkModel(d.Model, m))
			}
		}
		if d.To != nil {
			problems = append(problems, checkNodes(d, p))
		}
	}
	if _, err := statefile.EncodeState(p.Desired); err != nil {
		problems = append(problems, fmt.Errorf("its state cannot be written: %w", err))
	}
	return errors.Join(problems...)
}

func checkNodes(d plan.Deployment, p *plan.Plan) error {
	var problems []error
	for _, node := range plan.ReleaseNodes(d.To) {
		known, ok := p.Desired.Nodes[node]
		if !ok {
			problems = append(problems, fmt.Errorf("model %s: %s has a part of it and is not among the plan's nodes", d.Model, node))
		}
		if prior, used := p.Prior.Nodes[node]; ok && used && prior.Path != known.Path {
			problems = append(problems, fmt.Errorf("%s carries files in %q and cannot move to %q", node, prior.Path, known.Path))
		}
		if _, ok := d.Manifests[node]; !ok {
			problems = append(problems, fmt.Errorf("model %s: %s has a part of it and no manifest", d.Model, node))
		}
	}
	return errors.Join(problems...)
}

func checkModel(name string, m *statefile.Model) error {
	if !releasePattern.MatchString(m.Release) {
		return fmt.Errorf("model %s: %q is no release id", name, m.Release)
	}
	for _, node := range plan.ReleaseNodes(m) {
		names := map[string]bool{}
		for _, blob := range plan.NodeBlobs(m, node) {
			if err := checkBlob(blob); err != nil {
				return fmt.Errorf("model %s on %s: %w", name, node, err)
			}
			if names[blob.Name] {
				return fmt.Errorf("model %s on %s: two files are named %s", name, node, blob.Name)
			}
			names[blob.Name] = true
		}
		if !names[worker.ProgramFile] {
			return fmt.Errorf("model %s on %s: the release has no %s", name, node, worker.ProgramFile)
		}
	}
	return nil
}

func checkBlob(b statefile.Blob) error {
	switch b.Name {
	case worker.ManifestFile, worker.PeersFile, worker.SocketFile, worker.LogFile, worker.LockFile,
		worker.SupervisorFile, worker.MarkFile, sumsFile:
		return fmt.Errorf("a blob cannot be named %s", b.Name)
	}
	switch {
	case !filePattern.MatchString(b.Name):
		return fmt.Errorf("%q cannot be the name of a file in a release", b.Name)
	case !digestPattern.MatchString(b.Digest):
		return fmt.Errorf("%s: %q is no sha256 digest", b.Name, b.Digest)
	case b.Size < 0:
		return fmt.Errorf("%s has %d bytes", b.Name, b.Size)
	}
	return nil
}
