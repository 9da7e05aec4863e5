package deployer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/sshconfig"
	"github.com/edgeplan/edgeplan/statefile"
)

// hop is one SSH server on the way to a device, or the device itself: what the
// configuration says, filled in from ssh's own files.
type hop struct {
	name         string // as it is written
	host         string
	port         int
	user         string
	identities   []string // files of keys to offer; nil: the usual ones
	certificates []string
	given        bool   // the only identity is the configuration's: offer nothing else
	only         bool   // offer no other key of the agent
	agent        string // its socket; "" for none
	knownHosts   []string
	systemHosts  []string
	alias        string // by which known_hosts has it
	hostKey      string // pinned
	acceptNew    bool
	hash         bool          // names in known_hosts
	timeout      time.Duration // of dialling; 0: as the options say
	alive        time.Duration // how often the connection is tried; 0: as the options say
	sudo         bool
}

// address is where the server listens.
func (h hop) address() string { return net.JoinHostPort(h.host, strconv.Itoa(h.port)) }

// knownAs is the host:port by which known_hosts has the server.
func (h hop) knownAs() string {
	if h.alias != "" {
		return net.JoinHostPort(h.alias, "22")
	}
	return h.address()
}

// address is where a device's SSH server listens, as far as the state tells.
func address(s statefile.SSH) string {
	port := s.Port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(port))
}

// maxHops bounds the way to a device.
const maxHops = 8

// hopsOf is the way to a device: hosts to pass through, and then the device.
func hopsOf(s statefile.SSH) ([]hop, error) {
	config, err := loadSSHConfig(s.Config)
	if err != nil {
		return nil, fmt.Errorf(`ssh's settings cannot be used: %w (ssh_config = "none" does without them)`, err)
	}
	w := wayfinder{config: config, ssh: s}
	return w.way(sshconfig.Jump{User: s.User, Host: s.Host, Port: s.Port}, true, 0)
}

func loadSSHConfig(file string) (*sshconfig.Config, error) {
	switch file {
	case "none":
		return sshconfig.Load()
	case "":
		home, err := os.UserHomeDir()
		if err != nil {
			return sshconfig.Load("/etc/ssh/ssh_config")
		}
		return sshconfig.Load(filepath.Join(home, ".ssh", "config"), "/etc/ssh/ssh_config")
	}
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("ssh_config: %w", err)
	}
	return sshconfig.Load(file)
}

// wayfinder resolves the hops to one device.
type wayfinder struct {
	config *sshconfig.Config
	ssh    statefile.SSH
}

// way are the hops to a host, itself last. The first host to pass through may
// itself need others; the further ones are reached from the one before.
func (w wayfinder) way(to sshconfig.Jump, device bool, depth int) ([]hop, error) {
	settings, err := w.config.Lookup(to.Host, to.User)
	if err != nil {
		return nil, fmt.Errorf("ssh's settings for %s cannot be used: %w", to.Host, err)
	}
	last, err := w.hop(to, settings, device)
	if err != nil {
		return nil, err
	}
	jumps, err := w.jumps(last, settings, device)
	if err != nil {
		return nil, err
	}
	if depth += len(jumps); depth > maxHops {
		return nil, fmt.Errorf("the way to %s goes through more than %d hosts: does one of them jump through itself? (proxy_jump, ProxyJump)", w.ssh.Host, maxHops)
	}
	var hops []hop
	for i, jump := range jumps {
		if i == 0 {
			hops, err = w.way(jump, false, depth)
		} else {
			hops, err = w.step(hops, jump)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(hops, last), nil
}

// step adds one host that is reached from the one before.
func (w wayfinder) step(hops []hop, jump sshconfig.Jump) ([]hop, error) {
	settings, err := w.config.Lookup(jump.Host, jump.User)
	if err != nil {
		return nil, fmt.Errorf("ssh's settings for %s cannot be used: %w", jump.Host, err)
	}
	next, err := w.hop(jump, settings, false)
	return append(hops, next), err
}

// jumps are the hosts to pass through on the way to a hop.
func (w wayfinder) jumps(to hop, settings sshconfig.Settings, device bool) ([]sshconfig.Jump, error) {
	text := settings.ProxyJump
	if device && w.ssh.ProxyJump != "" {
		text = w.ssh.ProxyJump
	} else if settings.ProxyCommand != "" {
		return nil, fmt.Errorf(`%s: ProxyCommand of host %s is not run by edgeplan: write proxy_jump = "user@bastion" in the node's ssh settings, or proxy_jump = [] to connect directly`,
			settings.ProxyCommand, to.name)
	}
	jumps, err := sshconfig.ParseJumps(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", to.name, err)
	}
	if len(jumps) == 1 && isSelf(jumps[0], to) {
		return nil, nil // "Host *" with ProxyJump holds for the bastion as well
	}
	return jumps, nil
}

func isSelf(jump sshconfig.Jump, h hop) bool {
	return jump.Host == h.name && (jump.Port == 0 || jump.Port == h.port) && (jump.User == "" || jump.User == h.user)
}

func (w wayfinder) hop(to sshconfig.Jump, settings sshconfig.Settings, device bool) (hop, error) {
	h := hop{name: to.Host, host: settings.HostName, port: to.Port, user: to.User, timeout: settings.ConnectTimeout, alive: settings.ServerAliveInterval,
		identities: settings.IdentityFiles, certificates: settings.CertificateFiles, only: settings.IdentitiesOnly,
		agent: agentSocket(settings.IdentityAgent), alias: settings.HostKeyAlias, hash: settings.HashKnownHosts}
	setDefault(&h.port, settings.Port)
	setDefault(&h.port, 22)
	setDefault(&h.user, settings.User)
	setDefault(&h.user, sshconfig.Operator())
	if h.user == "" {
		return hop{}, fmt.Errorf("%s has no user, and the name of yours is not known: write user in its ssh settings", to.Host)
	}
	if file := w.ssh.IdentityFile; file != "" && device {
		h.identities, h.given, h.only = []string{file}, true, true
	} else if file != "" {
		h.identities = append([]string{file}, h.identities...)
	}
	if device {
		h.hostKey, h.sudo = w.ssh.HostKey, w.ssh.Become == "sudo"
	}
	h.acceptNew = w.ssh.HostKeyChecking == "accept-new" || w.ssh.HostKeyChecking == "" && settings.AcceptNew
	return h, w.addKnownHosts(&h, settings)
}

// addKnownHosts names the files to look in for host keys.
func (w wayfinder) addKnownHosts(h *hop, settings sshconfig.Settings) error {
	h.systemHosts = settings.GlobalKnownHosts
	if h.systemHosts == nil {
		h.systemHosts = []string{systemKnownHosts, systemKnownHosts + "2"}
	}
	switch {
	case w.ssh.KnownHosts != "":
		h.knownHosts = []string{w.ssh.KnownHosts}
	case settings.UserKnownHosts != nil:
		h.knownHosts = settings.UserKnownHosts
	default:
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("no home folder to look for .ssh/known_hosts in: %w; name a file with known_hosts", err)
		}
		h.knownHosts = []string{filepath.Join(home, ".ssh", "known_hosts"), filepath.Join(home, ".ssh", "known_hosts2")}
	}
	if len(h.knownHosts) == 0 {
		return errors.New("no file of known hosts is named")
	}
	return nil
}

// agentSocket is where the agent listens, by the IdentityAgent of ssh_config.
func agentSocket(given string) string {
	switch {
	case strings.EqualFold(given, "none"):
		return ""
	case given == "":
		return os.Getenv("SSH_AUTH_SOCK")
	}
	return given
}
