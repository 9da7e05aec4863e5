package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/sshconfig"
)

const (
	defaultSSHPort = 22
	maxPort        = 65535
)

// What proxy_jump and ssh_config say when ssh's own files are not to be read.
const none = "none"

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

// sshOver reads how to connect; what is not given is that of base. What neither
// gives stays open, for ssh's own files to say.
func (r *reader) sshOver(base SSH) SSH {
	base.User = r.user(base.User)
	base.Port = r.port(base.Port)
	base.IdentityFile = r.path("identity_file", base.IdentityFile)
	base.KnownHosts = r.path("known_hosts", base.KnownHosts)
	base.HostKey = r.hostKey(base.HostKey)
	base.HostKeyChecking = r.choice("host_key_checking", base.HostKeyChecking, []string{"strict", "accept-new"})
	base.ProxyJump = r.proxyJump(base.ProxyJump)
	base.Become = r.choice("become", base.Become, []string{none, "sudo"})
	base.Config = r.sshConfig(base.Config)
	return base
}

// user is "" where nothing gives it.
func (r *reader) user(def string) string {
	a, ok := r.get("user", cty.String)
	switch {
	case ok && (a.value.AsString() == "" || strings.ContainsAny(a.value.AsString(), "\x00\r\n")):
		r.bad("user", a, invalidValue, "user is %q. Write a user name, as \"pi\".", a.value.AsString())
	case ok:
		return a.value.AsString()
	case def != "":
		r.fill("user", cty.StringVal(def))
	}
	return def
}

// port is 0 where nothing gives it.
func (r *reader) port(def int) int {
	a, ok := r.get("port", cty.Number)
	if !ok {
		if def != 0 {
			r.fill("port", cty.NumberIntVal(int64(def)))
		}
		return def
	}
	n, err := wholeNumber(a.value, 1, maxPort)
	if err != nil {
		r.bad("port", a, invalidValue, "port %v. Write a number such as %d.", err, orElse(def, defaultSSHPort))
		return def
	}
	return int(n)
}

// proxyJump reads the hosts to pass through, one or a list, as
// user@host:port; apart by commas then.
func (r *reader) proxyJump(def string) string {
	a, ok := r.get("proxy_jump", cty.DynamicPseudoType)
	if !ok {
		return def
	}
	text, err := jumpText(a.value)
	if err == nil {
		_, err = sshconfig.ParseJumps(text)
	}
	if err != nil {
		r.bad("proxy_jump", a, invalidValue, "proxy_jump: %v.", err)
		return def
	}
	return text
}

func jumpText(v cty.Value) (string, error) {
	if v.Type() == cty.String {
		if v.AsString() == "" {
			return none, nil
		}
		return v.AsString(), nil
	}
	if !v.CanIterateElements() || v.Type().IsMapType() || v.Type().IsObjectType() {
		return "", errors.New(`it must be a string or a list of strings, as "pi@bastion:22"`)
	}
	var hosts []string
	for it := v.ElementIterator(); it.Next(); {
		_, host := it.Element()
		if host.IsNull() || host.Type() != cty.String {
			return "", errors.New("every host in the list must be a string")
		}
		hosts = append(hosts, host.AsString())
	}
	if len(hosts) == 0 {
		return none, nil
	}
	return strings.Join(hosts, ","), nil
}

// sshConfig reads which file of ssh's own settings to read; "none" is no file.
func (r *reader) sshConfig(def string) string {
	if a, ok := r.get("ssh_config", cty.String); ok && a.value.AsString() == none {
		return none
	}
	return r.path("ssh_config", def)
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
