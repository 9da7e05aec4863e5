package config

import (
	"strings"
	"testing"
)

func sshOf(t *testing.T, body string) (SSH, string) {
	t.Helper()
	c, diags := loadArchive(t, "-- main.edgeplan.hcl --\nssh {\n"+body+"\n}\n"+`node "hall" {
  address = "hall"
  memory  = "1GiB"
  compute = "1GFLOPS"
}
output "seen" {
  value = jsonencode([node.hall.user, node.hall.port])
}
`, Options{Version: "0.1.0"})
	if diags.HasErrors() {
		return SSH{}, describeAll(c.Dir, diags)
	}
	return c.Nodes[0].SSH, ""
}

func TestSSHArguments(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	tests := []struct {
		body string
		want SSH
	}{
		{"", SSH{Host: "hall"}},
		{`proxy_jump = "pi@bastion:2200"`, SSH{Host: "hall", ProxyJump: "pi@bastion:2200"}},
		{`proxy_jump = ["pi@bastion:2200", "[fd00::1]:23"]`, SSH{Host: "hall", ProxyJump: "pi@bastion:2200,[fd00::1]:23"}},
		{`proxy_jump = []`, SSH{Host: "hall", ProxyJump: "none"}},
		{`proxy_jump = null`, SSH{Host: "hall"}},
		{"become = \"sudo\"\nhost_key_checking = \"accept-new\"", SSH{Host: "hall", Become: "sudo", HostKeyChecking: "accept-new"}},
		{`ssh_config = "none"`, SSH{Host: "hall", Config: "none"}},
		{`ssh_config = "~/lab"`, SSH{Host: "hall", Config: "/home/operator/lab"}},
		{"user = \"pi\"\nport = 23", SSH{Host: "hall", User: "pi", Port: 23}},
	}
	for _, test := range tests {
		if got, faults := sshOf(t, test.body); got != test.want || faults != "" {
			t.Errorf("%s: %+v %s", test.body, got, faults)
		}
	}
}

func TestSSHFaults(t *testing.T) {
	tests := map[string]string{
		`proxy_jump = "a b"`:                "jump host",
		`proxy_jump = ["-oProxyCommand=x"]`: "user@host:port",
		`proxy_jump = { a = "b" }`:          "a string or a list of strings",
		`proxy_jump = [1]`:                  "must be a string",
		`proxy_jump = ["bastion:0"]`:        "is no port",
		`become = "root"`:                   "must be one of none, sudo",
		`host_key_checking = "no"`:          "must be one of strict, accept-new",
		`user = ""`:                         "Write a user name",
		`user = "a\nb"`:                     "Write a user name",
		`port = 0`:                          "from 1 to 65535",
	}
	for body, want := range tests {
		if _, faults := sshOf(t, body); !strings.Contains(faults, want) {
			t.Errorf("%s: %s", body, faults)
		}
	}
}
