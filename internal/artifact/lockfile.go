package artifact

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// pin is one block of the lock file: what an artifact must be.
type pin struct {
	Kind     Kind
	Platform string
	Version  string
	Digest   string
}

// pins is a lock file: at most one pin of a kind and platform.
type pins []pin

func (p pins) find(kind Kind, platform string) (pin, bool) {
	for _, entry := range p {
		if entry.Kind == kind && entry.Platform == platform {
			return entry, true
		}
	}
	return pin{}, false
}

// with gives the pins with one added or replaced.
func (p pins) with(entry pin) pins {
	p = slices.DeleteFunc(slices.Clone(p), func(other pin) bool {
		return other.Kind == entry.Kind && other.Platform == entry.Platform
	})
	return append(p, entry)
}

const lockHeader = "# Maintained by `edgeplan init`: the programs and engines it collected, by digest.\n" +
	"# Keep this file in version control, so that every operator puts the same files\n" +
	"# on devices. `edgeplan init -upgrade` accepts new ones.\n"

// encodePins writes a lock file; the order of the pins does not matter.
func encodePins(p pins) []byte {
	p = slices.Clone(p)
	slices.SortFunc(p, func(a, b pin) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Platform, b.Platform))
	})
	file := hclwrite.NewEmptyFile()
	for _, entry := range p {
		file.Body().AppendNewline()
		body := file.Body().AppendNewBlock(string(entry.Kind), []string{entry.Platform}).Body()
		body.SetAttributeValue("version", cty.StringVal(entry.Version))
		body.SetAttributeValue("sha256", cty.StringVal(entry.Digest))
	}
	return append([]byte(lockHeader), hclwrite.Format(file.Bytes())...)
}

// parsePins reads a lock file. The name stands in errors, with line and column.
func parsePins(name string, content []byte) (pins, error) {
	file, diags := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, lockError(diags)
	}
	var found pins
	body, diags := file.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: string(KindEngine), LabelNames: []string{"platform"}},
		{Type: string(KindWorker), LabelNames: []string{"platform"}},
	}})
	for _, block := range body.Blocks {
		entry, blockDiags := parsePin(block)
		diags = append(diags, blockDiags...)
		if _, twice := found.find(entry.Kind, entry.Platform); twice {
			diags = append(diags, blockError(block, "Pinned twice",
				fmt.Sprintf("there is another block for the %s of %s", entry.Kind, entry.Platform)))
		}
		found = append(found, entry)
	}
	if diags.HasErrors() {
		return nil, lockError(diags)
	}
	return found, nil
}

func parsePin(block *hcl.Block) (pin, hcl.Diagnostics) {
	entry := pin{Kind: Kind(block.Type), Platform: block.Labels[0]}
	var body struct {
		Version string `hcl:"version"`
		Digest  string `hcl:"sha256"`
	}
	if diags := gohcl.DecodeBody(block.Body, nil, &body); diags.HasErrors() {
		return entry, diags
	}
	entry.Version, entry.Digest = body.Version, body.Digest
	if err := checkPlatform(entry.Platform); err != nil {
		return entry, hcl.Diagnostics{blockError(block, "No platform", err.Error())}
	}
	if raw, err := hex.DecodeString(entry.Digest); err != nil || len(raw) != 32 {
		return entry, hcl.Diagnostics{blockError(block, "No digest", "sha256 is not 64 hexadecimal digits")}
	}
	return entry, nil
}

func blockError(block *hcl.Block, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &block.DefRange}
}

// lockError makes one error of everything wrong with a lock file.
func lockError(diags hcl.Diagnostics) error {
	return fmt.Errorf("%w; restore the file from version control, or remove it to pin anew with `edgeplan init`",
		errors.Join(diags.Errs()...))
}

// readPins reads the lock file of a folder; without one nothing is pinned.
func readPins(dir string) (pins, error) {
	path := filepath.Join(dir, LockFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock file: %w", err)
	}
	return parsePins(path, content)
}

// writePins replaces the lock file of a folder, unless it says the same already.
func writePins(dir string, p pins) error {
	path, content := filepath.Join(dir, LockFile), encodePins(p)
	if before, err := os.ReadFile(path); err == nil && string(before) == string(content) {
		return nil
	}
	if err := renameio.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}
