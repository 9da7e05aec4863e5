package worker

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// KeyFile is the name of a device's key file, in the folder of the
// configuration's path; all releases of the device share it.
const KeyFile = "key.pem"

// KeyPath is the key file that belongs to a release folder
// <path>/<deployment>/releases/<id>, also when dir is a link to one.
func KeyPath(dir string) (string, error) {
	real, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err = filepath.EvalSymlinks(real); err != nil {
		return "", err
	}
	return filepath.Join(real, "..", "..", "..", KeyFile), nil
}

// EnsureKey reads the Ed25519 key of a device (PKCS #8, PEM), and makes it when
// there is none. It never replaces a file. Of several processes that make it at
// once, one wins and all get its key.
func EnsureKey(path string) (ed25519.PrivateKey, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot make the key of this device: %w", err)
	}
	return readKey(path)
}

func readKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s: no PEM block PRIVATE KEY in it: move the file away, and the next apply makes a new key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: the key is %T, not Ed25519", path, parsed)
	}
	return key, nil
}

// createKey writes a new key to a temporary name and links it to its place: a
// link, unlike a rename, does not replace the key of another process.
func createKey(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temporary, err := writeTemporary(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	return place(temporary, path)
}

// writeTemporary writes a file that only its owner can read, beside path.
func writeTemporary(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// place links a file to its final name. A file system without links (FAT on an
// SD card) gets a rename, which two processes at once would race for.
func place(temporary, path string) error {
	err := os.Link(temporary, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(temporary, path)
}

// PublicKey is what goes into peers.json for a key: standard base64 of the 32
// bytes of its public part.
func PublicKey(key ed25519.PrivateKey) string {
	return encodeKey(key.Public().(ed25519.PublicKey))
}

func encodeKey(key ed25519.PublicKey) string {
	return base64.StdEncoding.EncodeToString(key)
}

// ParsePublicKey reads what PublicKey gives.
func ParsePublicKey(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the public key is not base64: %w", err)
	}
	if len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the public key has %d bytes, not %d", len(raw), ed25519.PublicKeySize)
	}
	return raw, nil
}
