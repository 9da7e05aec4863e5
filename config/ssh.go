package config

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/crypto/ssh"
)

const (
	defaultSSHPort = 22
	maxPort        = 65535
)

// defaultSSH reads the ssh block.
func (f *frame) defaultSSH(d *declaration) {
	r := f.reader(d, instance{address: d.String()}, f.context(d.refs))
	base := SSH{}
	if f.parent != nil {
		base = f.parent.defaults()
	}
	ssh := r.sshOver(base)
	f.ssh = &ssh
}

// sshOver reads how to connect; what is not given is that of base.
func (r *reader) sshOver(base SSH) SSH {
	base.User = r.text("user", base.User)
	base.Port = int(r.whole("port", 1, maxPort, int64(orElse(base.Port, defaultSSHPort))))
	base.IdentityFile = r.path("identity_file", base.IdentityFile)
	base.KnownHosts = r.path("known_hosts", base.KnownHosts)
	base.HostKey = r.hostKey(base.HostKey)
	return base
}

func orElse(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// path reads the path of a file here: absolute, from the home folder with ~, or
// from the configuration folder.
func (r *reader) path(name, def string) string {
	a, ok := r.get(name, cty.String)
	if !ok {
		r.fill(name, cty.StringVal(def))
		return def
	}
	path, err := expandPath(r.config.Dir, a.value.AsString())
	if err != nil {
		r.bad(name, a, invalidValue, "%s %v.", name, err)
		return def
	}
	return path
}

// expandPath makes a path absolute.
func expandPath(dir, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("is empty. Write a path, or leave the line out")
	}
	expanded, err := expandHome(path)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(expanded) {
		expanded = filepath.Join(dir, expanded)
	}
	return filepath.Abs(expanded)
}

// expandHome replaces a leading ~ with the home folder of the operator.
func expandHome(path string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	rest := path[1:]
	if rest != "" && rest[0] != '/' {
		return "", fmt.Errorf("names the home folder of another user, %q. Write the whole path, or ~/ for your own", path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("begins with ~, and the home folder is not known: %w. Set HOME, or write the whole path", err)
	}
	return filepath.Join(home, rest), nil
}

// hostKey reads a pinned key as "ssh-ed25519 AAAA…".
func (r *reader) hostKey(def string) string {
	a, ok := r.get("host_key", cty.String)
	if !ok {
		r.fill("host_key", cty.StringVal(def))
		return def
	}
	text := strings.TrimSpace(a.value.AsString())
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(rest) > 0 || !strings.HasPrefix(text, key.Type()+" ") {
		r.bad("host_key", a, invalidValue, "host_key is no public key. Write its type and base64 only, as \"ssh-ed25519 AAAA...\"; `ssh-keyscan HOST` prints it after the host's name.")
		return def
	}
	return text
}

// host reads the address of a node.
func (r *reader) host() string {
	a, ok := r.get("address", cty.String)
	if !ok {
		if isAbsent(r, "address") {
			r.missing("address", `address = "hall.local"`)
		}
		return ""
	}
	host := a.value.AsString()
	if problem := hostProblem(host); problem != "" {
		r.bad("address", a, invalidValue, "address is %q. %s", host, problem)
	}
	return host
}

// hostProblem says what is wrong with a host name or IP address, or "".
func hostProblem(host string) string {
	if name, rest, ok := strings.Cut(host, "@"); ok {
		return fmt.Sprintf("Write the user apart: user = %q and address = %q.", name, rest)
	}
	if name, port, err := net.SplitHostPort(host); err == nil && net.ParseIP(host) == nil {
		return fmt.Sprintf("Write the port apart: port = %s and address = %q.", port, name)
	}
	if host == "" || strings.HasPrefix(host, "-") || strings.ContainsAny(host, " \t\r\n/\\\"'\x00") {
		return `Write a host name or an IP address, as "hall.local".`
	}
	return ""
}

// operatorName is the name of the user who runs edgeplan.
func operatorName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}
