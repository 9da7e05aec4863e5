package arrows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// concurrent are packages that are of use only where several things happen at once.
var concurrent = []string{"sync", "sync/atomic", "golang.org/x/sync/errgroup", "net/http", "net/http/httptest"}

// What the Makefile tests without the race detector does one thing at a time, tests
// included, so that it would find nothing there.
func TestSequentialPackagesAreSequential(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^SEQUENTIAL\s*:= (.+)$`).FindSubmatch(makefile)
	if found == nil {
		t.Fatal("the Makefile names no SEQUENTIAL packages")
	}
	for _, name := range strings.Fields(string(found[1])) {
		files, err := filepath.Glob(filepath.Join("..", "..", name, "*.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, error %v", name, len(files), err)
		}
		for _, file := range files {
			checkSequential(t, file)
		}
	}
}

func checkSequential(t *testing.T, file string) {
	t.Helper()
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, imported := range parsed.Imports {
		if path, _ := strconv.Unquote(imported.Path.Value); slices.Contains(concurrent, path) {
			t.Errorf("%s: imports %s", files.Position(imported.Pos()), path)
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: starts a goroutine", files.Position(n.Pos()))
		case *ast.SelectorExpr:
			if n.Sel.Name == "Parallel" || n.Sel.Name == "AfterFunc" {
				t.Errorf("%s: %s", files.Position(n.Pos()), n.Sel.Name)
			}
		}
		return true
	})
}
