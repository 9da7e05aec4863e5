// Package arrows holds the test that states which package may import which.
package arrows

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/edgeplan/edgeplan/"

// allowed are the packages of this module that each package may import, beside
// internal ones. Arrows point down only (docs/architecture.md).
var allowed = map[string][]string{
	"cmd/edgeplan":        {"config", "deployer", "onnx", "plan", "solver", "statefile", "statefile/backend", "worker"},
	"cmd/bench-pipeline":  {"onnx", "solver", "worker"},
	"cmd/edgeplan-worker": {"worker"},
	"cmd/paper":           {"solver"},
	"deployer":            {"plan", "statefile", "worker"},
	"plan":                {"config", "onnx", "solver", "statefile", "worker"},
	"config":              {},
	"onnx":                {},
	"solver":              {},
	"statefile":           {},
	"statefile/backend":   {"statefile"},
	"worker":              {},
	"examples":            {},
}

// free are packages that know nothing of this module beyond what is listed: the
// solver of ONNX and HCL, the state of what makes it.
var free = map[string][]string{
	"solver":            {},
	"statefile":         {"internal/tensor", "internal/version"},
	"statefile/backend": {"statefile", "internal/suggest"},
}

// foreign are libraries that belong to one package, and no other may import.
var foreign = map[string][]string{
	"github.com/hashicorp/hcl/v2/hclsyntax":  {"config", "internal/artifact", "cmd/edgeplan"}, // state show writes HCL
	"golang.org/x/crypto/ssh":                {"deployer", "internal/device", "internal/device/sshdtest", "internal/testbed", "cmd/edgeplan", "config"},
	"github.com/pkg/sftp":                    {"deployer", "internal/device"},
	"github.com/minio/minio-go/v7":           {"statefile/backend"},
	"google.golang.org/grpc":                 {"worker", "internal/oippb", "internal/oiprest"},
	"github.com/ebitengine/purego":           {"internal/ort"},
	"google.golang.org/protobuf/proto":       {"onnx", "internal/onnxpb", "internal/oippb", "internal/modelbuilder", "worker"},
	"github.com/zclconf/go-cty/cty/function": {"config"},
	"gonum.org/v1/plot":                      {"cmd/paper"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestArrowsPointDown(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			checkForeign(t, name, imported)
			inner, ours := strings.CutPrefix(imported, module)
			if ours {
				checkOurs(t, name, inner)
			}
		}
	}
}

func checkOurs(t *testing.T, name, imported string) {
	t.Helper()
	public := !strings.HasPrefix(imported, "internal/")
	may, listed := allowed[name]
	switch {
	case strings.HasPrefix(name, "internal/"):
		if public {
			t.Errorf("%s imports %s: internal packages are below the public ones", name, imported)
		}
	case !listed:
		t.Errorf("package %s is not in the list of arrows: add it, and to docs/architecture.md", name)
	case public && !slices.Contains(may, imported):
		t.Errorf("%s imports %s: it may import %v", name, imported, may)
	}
	if only, restricted := free[name]; restricted && !slices.Contains(only, imported) {
		t.Errorf("%s imports %s: of this module it may know only %v", name, imported, only)
	}
}

func checkForeign(t *testing.T, name, imported string) {
	t.Helper()
	if owners, owned := foreign[imported]; owned && !slices.Contains(owners, name) {
		t.Errorf("%s imports %s, which belongs to %v", name, imported, owners)
	}
}

func list(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) < len(allowed) {
		t.Fatalf("go list found %d packages, fewer than are listed here", len(packages))
	}
	return packages
}
