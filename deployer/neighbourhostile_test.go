package deployer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// A device may answer anything, and give anything: the other gets the blob from here, soon.
func TestHostileNeighbours(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, func(c *cluster, name string) { c.addDevice(name, embedded.Options{}) }, "a", "b")
	layer := n.blobs.add("", noise(1, 600_000))
	n.mustApply(models{"net": n.sharing("1", 7433, []statefile.Blob{layer}, "a")})
	p := n.planned(n.sharing("2", 7434, []statefile.Blob{layer}, "a", "b"), map[string]string{"b": "a"}, layer)
	n.put("b", n.program)
	key := `"key":"` + strings.Repeat("A", 43) + `="`
	for _, test := range []struct{ name, node, script, says string }{
		{"garbage", "b", "echo hello", "which makes no sense"},
		{"a line without end", "b", "yes | tr -d '\\n'", "token too long"},
		{"silence", "b", "sleep 60", "did not answer within 3s"},
		{"an end", "b", "exit 0", "ended without a word"},
		{"no port", "b", `echo '{"port":0,` + key + `}'; sleep 60`, "does not say where"},
		{"a port beyond all", "b", `echo '{"port":99999,` + key + `}'; sleep 60`, "does not say where"},
		{"no key", "b", `echo '{"port":9}'; sleep 60`, "does not say where"},
		{"nobody at its port", "b", `echo '{"port":9,` + key + `}'; sleep 60`, "a: the other device is not reached"},
		{"all has come, it says", "b", `echo '{"port":9,` + key + `}'; echo '{"done":true,"bytes":600000}'; sleep 60`, "what a gave cannot be used"},
		{"more than all, it says", "b", `echo '{"port":9,` + key + `}'; echo '{"done":true,"bytes":900000}'; sleep 60`, "a: the other device is not reached"},
		{"bytes that go back", "b", `echo '{"port":9,` + key + `}'; yes '{"bytes":-5}'`, "a: the other device is not reached"},
		{"lines of an error", "b", `printf 'a\nb\033[2J' >&2; exit 1`, "b: a b [2J"},
		{"a giver that says nothing", "a", "sleep 60", "nothing came for 3s"},
		{"a giver that fails", "a", "echo bus error >&2; exit 3", "a: bus error"},
		{"a giver that talks", "a", "yes", "a: its program said \"y\""},
	} {
		_ = os.Remove(filepath.Join(n.root("b"), "blobs", "sha256", layer.Digest))
		script := filepath.Join(n.homes[test.node], map[string]string{"a": "give.sh", "b": "take.sh"}[test.node])
		n.write(script, test.script)
		n.told()
		n.options.passSilence = 0
		if strings.Contains(test.says, "3s") {
			n.options.passSilence = 3 * time.Second
		}
		if err := n.passOnce(p, func() {}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if told := strings.Join(warnings(n.told()), "\n"); !strings.Contains(told, test.says) {
			t.Errorf("%s: told %q, want %q", test.name, told, test.says)
		}
		n.sound("b", layer)
		if err := os.Remove(script); err != nil {
			t.Error(err)
		}
	}
}

// A plan that somebody edited to go in a circle, or to take from who is not there, or twice, is
// carried out all the same.
func TestCirclesOfNeighbours(t *testing.T) {
	t.Parallel()
	for name, from := range map[string][]plan.Upload{
		"a circle":                     {{Node: "a", From: "b"}, {Node: "b", From: "c"}, {Node: "c", From: "a"}},
		"a circle, and a way out":      {{Node: "a", From: "b"}, {Node: "a", From: "c"}, {Node: "b", From: "a"}, {Node: "c"}},
		"a way out, and a circle":      {{Node: "a", From: "c"}, {Node: "a", From: "b"}, {Node: "b", From: "a"}, {Node: "c"}},
		"said twice":                   {{Node: "a"}, {Node: "b", From: "a"}, {Node: "b", From: "a"}, {Node: "c", From: "b"}},
		"from nobody, to nobody":       {{Node: "a"}, {Node: "b", From: "nobody"}, {Node: "nobody", From: "a"}, {Node: "c"}},
		"from nobody, and from a node": {{Node: "a"}, {Node: "b", From: "nobody"}, {Node: "b", From: "a"}, {Node: "c", From: "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNeighbourhood(t, func(c *cluster, name string) { c.addDevice(name, embedded.Options{}) }, "a", "b", "c")
			layer := n.blobs.add("", noise(1, 2_000_000))
			m := n.sharing("1", 7433, []statefile.Blob{layer}, "a", "b", "c")
			p := n.planned(m, nil)
			p.Uploads = slices.DeleteFunc(p.Uploads, func(u plan.Upload) bool { return u.Blob == layer })
			for _, u := range from {
				u.Blob = layer
				p.Uploads = append(p.Uploads, u)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := Apply(ctx, p, n.recorder, n.options); err != nil {
				t.Fatal(err)
			}
			n.whole(m)
		})
	}
}
