package deployer

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

func TestDeploymentName(t *testing.T) {
	tests := []struct{ model, want string }{
		{"resnet50", "resnet50-12345678"},
		{"a_b-c", "a_b-c-12345678"},
	}
	for _, test := range tests {
		if got := DeploymentName(test.model, testLineage); got != test.want {
			t.Errorf("%q: %q, want %q", test.model, got, test.want)
		}
	}
	seen := map[string]string{}
	for _, model := range append(hostileTexts(), "a.b", "a_b", strings.Repeat("x", 300)) {
		got := DeploymentName(model, testLineage)
		if other, twice := seen[got]; twice {
			t.Errorf("%q and %q are both %q", model, other, got)
		}
		seen[got] = model
		if !filePattern.MatchString(got) {
			t.Errorf("%q: %q is no plain name", model, got)
		}
	}
}

// What is quoted is one word to a shell, and unchanged.
func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		out, err := exec.Command("/bin/sh", "-c", "printf '%s|' "+commandLine([]string{text, "end"})).Output()
		if err != nil || string(out) != text+"|end|" {
			t.Fatalf("%q became %q, error %v", text, out, err)
		}
	})
}

func TestResolveRoot(t *testing.T) {
	tests := []struct{ home, path, want string }{
		{"/home/pi", ".edgeplan", "/home/pi/.edgeplan"},
		{"/home/pi", "~/edge plan", "/home/pi/edge plan"},
		{"/home/pi", "/srv/edgeplan/", "/srv/edgeplan"},
		{"/home/pi", "-rf", "/home/pi/-rf"},
		{"/home/pi", "", ""},
		{"/home/pi", ".", ""},
		{"/home/pi", "~/", ""},
		{"/home/pi", "/", ""},
		{"/home/pi", "a/..", ""},
		{"/home/pi", "../pi", ""},
		{"relative", ".edgeplan", ""}, // a server that lies
	}
	for _, test := range tests {
		got, err := resolveRoot(test.home, test.path)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%q: %q, error %v, want %q", test.path, got, err, test.want)
		}
	}
}

// Foreign state files cannot name files outside of a release.
func TestHostilePlansAreRefused(t *testing.T) {
	c := bareCluster(t)
	c.addNode("a", "127.0.0.1:1", "", t.TempDir(), ".edgeplan")
	changes := map[string]func(m *statefile.Model, hostile string){
		"release":       func(m *statefile.Model, hostile string) { m.Release = hostile },
		"blob name":     func(m *statefile.Model, hostile string) { m.Slices[0].Graph.Name = hostile },
		"blob digest":   func(m *statefile.Model, hostile string) { m.Slices[0].Weights[0].Digest = hostile },
		"program":       func(m *statefile.Model, hostile string) { m.Programs["a"][0].Name = hostile },
		"reserved name": func(m *statefile.Model, _ string) { m.Slices[0].Graph.Name = "peers.json" },
		"twice":         func(m *statefile.Model, _ string) { m.Slices[0].Graph.Name = m.Slices[0].Weights[0].Name },
	}
	for name, change := range changes {
		for _, hostile := range append(hostileTexts(), "../../x", "/etc/passwd", ".tmp-1") {
			if hostile == "" && name == "release" || hostile == "-rf" && name == "blob digest" {
				hostile = "."
			}
			m := c.model("net", "1", 7433, "a")
			change(&m, hostile)
			p := &plan.Plan{Prior: c.state(), Desired: c.state(), Deployments: []plan.Deployment{{Model: "net", From: &m}}}
			if err := checkPlan(p); err == nil {
				t.Errorf("%s %q was taken", name, hostile)
			}
		}
	}
}

// Names that are only shown, or made safe, may be anything.
func TestHostileNamesDeploy(t *testing.T) {
	c := bareCluster(t)
	node := "node.pi[\"it's $(touch owned)\n; touch owned\"]"
	c.addDevice(node, embedded.Options{Home: filepath.Join(t.TempDir(), "ho'me `touch owned`")})
	for _, hostile := range []string{"$(touch owned)", "a'; touch owned; '", "..", "a\nb"} {
		m := c.model(hostile, "1", 7433, node)
		c.mustApply(models{hostile: m})
		if err := c.serves(hostile, m); err != nil {
			t.Error(err)
		}
		c.mustApply(models{})
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%q left %q", hostile, left)
		}
	}
}

func TestSameFolderTwice(t *testing.T) {
	c := newCluster(t, "a")
	c.nodes["b"], c.homes["b"] = c.nodes["a"], c.homes["a"]
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a", "b")}))
	if err == nil || !strings.Contains(err.Error(), "same folder of the same device") {
		t.Errorf("error %v", err)
	}
}

// A device may answer anything.
func FuzzDeviceAnswers(f *testing.F) {
	f.Add("Linux\nx86_64\n64\nwritable\nsha256sum\n/lib64/ld-linux-x86-64.so.2\n/home/pi\nx")
	f.Add(strings.Repeat("a", 64) + "  slice.onnx\n")
	f.Fuzz(func(t *testing.T, out string) {
		if l, err := parseLook(out); err == nil {
			_ = l.check(statefile.Node{})
		}
		_ = parseSums(out, map[string]string{})
	})
}

func TestParseLook(t *testing.T) {
	l, err := parseLook("Linux\naarch64\n32\nlocked\nnone\n/lib/ld-linux-armhf.so.3\n/srv/a\nb")
	if err != nil || l.architecture != "linux/arm" || l.existing != "/srv/a\nb" || len(l.loaders) != 1 {
		t.Errorf("%+v, error %v", l, err)
	}
	problem := l.check(statefile.Node{SSH: statefile.SSH{User: "pi"}})
	for _, want := range []string{"cannot be written by user pi", "no sha256sum"} {
		if problem == nil || !strings.Contains(problem.Error(), want) {
			t.Errorf("no %q in %v", want, problem)
		}
	}
	l.loaders, l.writable, l.hasSHA256 = nil, true, true
	if problem := l.check(statefile.Node{}); problem == nil || !strings.Contains(problem.Error(), "glibc") {
		t.Errorf("musl: %v", problem)
	}
}
