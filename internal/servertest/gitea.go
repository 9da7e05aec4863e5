package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/edgeplan/edgeplan/internal/porttest"
)

// HTTP is a running server of Terraform's HTTP backend protocol.
type HTTP struct {
	base               string
	Username, Password string
}

// Address of a state by its name.
func (h HTTP) Address(name string) string { return h.base + "/" + name }

// LockAddress of a state: POST locks and DELETE unlocks.
func (h HTTP) LockAddress(name string) string { return h.Address(name) + "/lock" }

// StartHTTP starts Gitea (gitea.com), whose package registry keeps states.
func StartHTTP(t testing.TB) HTTP {
	t.Helper()
	executable := Program(t, Gitea)
	address, dir := porttest.Address(t), t.TempDir()
	config := filepath.Join(dir, "app.ini")
	if err := os.WriteFile(config, []byte(giteaConfig(dir, address, executable)), 0o600); err != nil {
		t.Fatal(err)
	}
	h := HTTP{base: "http://" + address + "/api/packages/operator/terraform/state", Username: "operator", Password: "a-secret-of-this-test"}
	gitea := func(args ...string) *exec.Cmd {
		command := exec.Command(executable, append([]string{"--config", config, "--work-path", dir}, args...)...)
		command.Env = append(os.Environ(), "HOME="+dir, "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true")
		return command
	}
	for _, args := range [][]string{
		{"migrate"},
		{"admin", "user", "create", "--username", h.Username, "--password", h.Password, "--email", "operator@example.com", "--must-change-password=false"},
	} {
		if out, err := gitea(args...).CombinedOutput(); err != nil {
			t.Fatalf("gitea %s: %v\n%s", args[0], err, out)
		}
	}
	start(t, gitea("web"), "http://"+address+"/api/healthz")
	return h
}

// giteaConfig lets Gitea run from its module's own files, on loopback only.
func giteaConfig(dir, address, program string) string {
	return fmt.Sprintf(`I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
RUN_MODE = prod
[server]
PROTOCOL = http
HTTP_ADDR = %[1]s
HTTP_PORT = %[2]s
ROOT_URL = http://%[1]s:%[2]s/
STATIC_ROOT_PATH = %[3]s.files
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = %[4]s/gitea.db
[security]
INSTALL_LOCK = true
SECRET_KEY = a-secret-of-this-test
[log]
LEVEL = Error
[cron]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
`, host(address), port(address), program, dir)
}
