package worker

import (
	"os"
	"path/filepath"
	"testing"
)

// The lease of a device is found wherever edgeplan's folder is.
func TestLeaseToken(t *testing.T) {
	for _, name := range []string{"edge", "edge[1]", "edge*", "edge?", `edge\\`} {
		root := filepath.Join(t.TempDir(), name)
		dir := filepath.Join(root, "net", "releases", "1")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if got := leaseToken(dir); got != "" {
			t.Errorf("%s: %q without a lease", name, got)
		}
		for file, content := range map[string]string{
			"lease.9": "token=old\nholder=x\n", "lease.10": "token=new\nholder=y\n", "lease.x": "token=no\n", "other.11": "token=no\n",
		} {
			if err := os.WriteFile(filepath.Join(root, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := leaseToken(dir); got != "new" {
			t.Errorf("%s: %q, want new", name, got)
		}
	}
}
