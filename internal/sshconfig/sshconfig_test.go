package sshconfig

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

func folder(t testing.TB, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(file.Data, []byte("DIR"), []byte(dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const example = `
-- config --
# the first value counts
Include DIR/more/*.conf
Host hall gate
	HostName %h.example.net
	User pi
	IdentityFile "DIR/key one"
	IdentityFile DIR/two
Host=*.lab	!closed.lab
	Port = 2222   # not the usual one
	ProxyJump jump@bastion:2200,inner
Match host hall.example.net user pi
	Port 2201
Match originalhost gate
	Port 2202
Match host *.example.net,other user root
	IdentitiesOnly yes
Match !host hall.example.net all
	UserKnownHostsFile DIR/a DIR/b
Match final all
	HashKnownHosts yes
Host ::1 2001:db8::*
	User six
Host *
	User nobody
	Port 22
	IdentityFile DIR/last
	ServerAliveInterval 5
	HostKeyAlias alias
	ConnectTimeout 7
	ServerAliveInterval 2
-- more/1.conf --
Host hall
	CertificateFile DIR/cert
	StrictHostKeyChecking accept-new
Include DIR/nested
-- more/2.conf --
IdentityAgent DIR/agent
-- nested --
Host gate
	ProxyJump none
Host closed.lab
	User "closed one"
`

// What is found is what ssh itself finds.
func TestAgainstSSH(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is missing: install openssh-client")
	}
	file := filepath.Join(folder(t, example), "config")
	for _, host := range []string{"hall", "gate", "a.lab", "closed.lab", "other", "::1", "2001:db8::7", "HALL", "x"} {
		for _, as := range []string{"", "root"} {
			args := []string{"-G", "-F", file}
			if as != "" {
				args = append(args, "-l", as)
			}
			out, err := exec.Command(ssh, append(args, host)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if diff := cmp.Diff(told(string(out)), asTold(t, file, host, as)); diff != "" {
				t.Errorf("%s as %q (-ssh +edgeplan):\n%s", host, as, diff)
			}
		}
	}
}

// told is what ssh -G prints of what is compared.
func told(out string) map[string]string {
	compared := map[string]bool{"hostname": true, "user": true, "port": true, "identityfile": true, "certificatefile": true,
		"identitiesonly": true, "identityagent": true, "userknownhostsfile": true, "hostkeyalias": true, "hashknownhosts": true,
		"stricthostkeychecking": true, "connecttimeout": true, "serveraliveinterval": true, "proxyjump": true}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if compared[name] && !strings.Contains(value, ".ssh/known_hosts2") { // the default
			found[name] = strings.TrimSpace(found[name] + " " + value)
		}
	}
	return found
}

func asTold(t *testing.T, file, host, as string) map[string]string {
	t.Helper()
	config, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.Lookup(host, as)
	if err != nil {
		t.Fatal(err)
	}
	word := map[bool]string{true: "yes", false: "no"}
	checking := map[bool]string{true: "accept-new", false: "ask"}
	found := map[string]string{
		"hostname": s.HostName, "user": firstOf(as, s.User), "port": strconv.Itoa(s.Port),
		"identityfile":          strings.Join(s.IdentityFiles, " "),
		"identitiesonly":        word[s.IdentitiesOnly],
		"identityagent":         s.IdentityAgent,
		"hostkeyalias":          s.HostKeyAlias,
		"hashknownhosts":        word[s.HashKnownHosts],
		"stricthostkeychecking": checking[s.AcceptNew],
		"connecttimeout":        strconv.Itoa(int(s.ConnectTimeout.Seconds())),
		"serveraliveinterval":   strconv.Itoa(int(s.ServerAliveInterval.Seconds())),
	}
	if s.UserKnownHosts != nil {
		found["userknownhostsfile"] = strings.Join(s.UserKnownHosts, " ")
	}
	if len(s.CertificateFiles) > 0 {
		found["certificatefile"] = strings.Join(s.CertificateFiles, " ")
	}
	if s.ProxyJump != "" && s.ProxyJump != "none" {
		found["proxyjump"] = s.ProxyJump
	}
	return found
}

func TestFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"exec", "Match exec \"test -e /x\"\n\tUser a\n", "config:1: \"Match exec\" is not evaluated"},
		{"localnetwork", "Match host hall localnetwork 10.0.0.0/8\n", "Match localnetwork"},
		{"quote", "User \"pi\nPort 22\n", "config:1: a quote is not closed"},
		{"no value", "Port\n", "config:1: Port has no value"},
		{"port", "\nPort 0\n", `config:2: port: "0" is no port`},
		{"yes", "IdentitiesOnly perhaps\n", "neither yes nor no"},
		{"time", "ConnectTimeout soon\n", "no time"},
		{"token", "IdentityFile /x/%Q\n", "%Q is not known"},
		{"variable", "IdentityFile ${NO_SUCH_VARIABLE}/x\n", "NO_SUCH_VARIABLE"},
		{"loop", "Include DIR/config\n", "does one include itself"},
		{"match without value", "Match host\n", "has no value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config, err := Load(filepath.Join(folder(t, "-- config --\n"+test.text), "config"))
			if err == nil {
				_, err = config.Lookup("hall", "")
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// What is of no concern to a host does not stand in its way.
func TestOtherHostsConditions(t *testing.T) {
	config, err := Load(filepath.Join(folder(t, "-- config --\nMatch host other exec false\n\tUser a\nHost hall\n\tUser b\n\tProxyCommand nc %h %p\n\tProxyJump late\n"), "config"), "/does/not/exist")
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.Lookup("hall", "")
	if err != nil || s.User != "b" || !strings.HasSuffix(s.ProxyCommand, "config:5") || s.ProxyJump != "" {
		t.Errorf("%+v, error %v", s, err)
	}
}

// Tokens, variables and home folders stand for what they do in ssh, which -G does not show.
func TestTokens(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("KEYS", "/keys")
	text := "IdentityFile ~/%n-%h-%r-%p\nIdentityFile ${KEYS}/%%a\nUserKnownHostsFile %d/k ~/l\nHostKeyAlias %n.Alias\nHostName %h.net\nUser pi\nPort 23\nIdentityAgent $KEYS\n"
	config, err := Load(filepath.Join(folder(t, "-- config --\n"+text), "config"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Lookup("hall", "")
	want := Settings{HostName: "hall.net", User: "pi", Port: 23, IdentityFiles: []string{"/home/me/hall-hall.net-pi-23", "/keys/%a"},
		UserKnownHosts: []string{"/home/me/k", "/home/me/l"}, HostKeyAlias: "hall.alias", IdentityAgent: "/keys"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v\n%s", err, diff)
	}
}

func TestParseJumps(t *testing.T) {
	tests := []struct {
		text string
		want []Jump
	}{
		{"", nil},
		{"none", nil},
		{"bastion", []Jump{{Host: "bastion"}}},
		{"user@bastion:2200, second", []Jump{{"user", "bastion", 2200}, {Host: "second"}}},
		{"ssh://a@b:1/", []Jump{{"a", "b", 1}}},
		{"fd00::1", []Jump{{Host: "fd00::1"}}},
		{"u@[fd00::1]:23", []Jump{{"u", "fd00::1", 23}}},
		{"[fe80::1%eth0]", []Jump{{Host: "fe80::1%eth0"}}},
	}
	for _, test := range tests {
		got, err := ParseJumps(test.text)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%q: error %v\n%s", test.text, err, diff)
		}
	}
	for _, bad := range []string{",", "a,", "@host", "user@", "host:0", "host:99999", "-oProxyCommand=x", "a b", "u@-x", "a:b:c@", "h:p"} {
		if got, err := ParseJumps(bad); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
}

// No input makes the reader panic or hang.
func FuzzConfig(f *testing.F) {
	for _, file := range txtar.Parse([]byte(example)).Files {
		f.Add(string(file.Data), "hall")
	}
	f.Add("=\n\"\nMatch =\nHost \"\"\n\\", "*")
	f.Fuzz(func(t *testing.T, text, host string) {
		if strings.Contains(strings.ToLower(text), "include") {
			return // reads files of the machine
		}
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if config, err := Load(file); err == nil {
			_, _ = config.Lookup(host, "")
		}
		_, _ = ParseJumps(text)
	})
}
