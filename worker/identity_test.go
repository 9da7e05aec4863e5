package worker

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// vouched is a certificate that one key signs for another.
func vouched(t *testing.T, signer, holder ed25519.PrivateKey) tls.Certificate {
	t.Helper()
	leaf := template("edgeplan-worker")
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, template(encodeKey(public(signer))), public(holder), signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: holder}
}

func TestEnsureKeyMakesOneKeyForAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", KeyFile)
	var keys [8]ed25519.PrivateKey
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			var err error
			if keys[i], err = EnsureKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, key := range keys {
		if !key.Equal(keys[0]) {
			t.Error("two keys were given out")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	parsed, err := ParsePublicKey(PublicKey(keys[0]))
	if err != nil || !parsed.Equal(public(keys[0])) {
		t.Errorf("the public key does not come back: %v", err)
	}
}

func TestEnsureKeyLeavesWhatItCannotReadAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeyFile)
	if err := os.WriteFile(path, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureKey(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "not a key" {
		t.Errorf("the file was changed: %q, %v", text, err)
	}
}

func TestKeyPathFollowsTheCurrentLink(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	release := filepath.Join(root, "toy-1", "releases", "r1")
	if err := os.MkdirAll(release, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "toy-1", "current")
	if err := os.Symlink(filepath.Join("releases", "r1"), link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{release, link} {
		if path, err := KeyPath(dir); err != nil || path != filepath.Join(root, KeyFile) {
			t.Errorf("%s: %s, %v", dir, path, err)
		}
	}
}
