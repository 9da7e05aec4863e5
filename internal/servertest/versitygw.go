package servertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/edgeplan/edgeplan/internal/porttest"
)

// S3 is a running S3 service with one bucket.
type S3 struct {
	Endpoint             string // http://127.0.0.1:PORT
	AccessKey, SecretKey string
	Bucket               string
}

// StartS3 starts versitygw (github.com/versity/versitygw) over a temporary folder.
func StartS3(t testing.TB) S3 {
	t.Helper()
	executable := Program(t, Versitygw)
	address := porttest.Address(t)
	s := S3{Endpoint: "http://" + address, AccessKey: "operator", SecretKey: "a secret of this test", Bucket: "states"}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, s.Bucket), 0o700); err != nil { // a bucket is a folder
		t.Fatal(err)
	}
	command := exec.Command(executable, "--port", address, "--quiet", "posix", root)
	command.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	start(t, command, s.Endpoint)
	return s
}
