package plan

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/statefile"
)

const testVersion = "1.2.3"

// samePlan compares all of two plans but where blobs come from.
var samePlan = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Plan{}, "Blobs"), cmp.AllowUnexported(Plan{})}

// withLineage gives the states of a plan what a recorded state has.
func withLineage(p *Plan) *Plan {
	for _, s := range []*statefile.State{p.Prior, p.Desired} {
		s.Lineage, s.Serial = "12345678-1234-4234-8234-123456789abc", 3
	}
	return p
}

func mustEncode(t interface{ Fatal(...any) }, p *Plan) []byte {
	content, err := (&Saved{Plan: p, Version: testVersion}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// What is read is what was written, with all that follows from it.
func TestSavedPlanIsThePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := withLineage(planOf(drawState(t, "from"), drawState(t, "to")))
		content := mustEncode(t, p)
		saved, err := ParseSaved(content, testVersion)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, saved.Plan, samePlan); diff != "" {
			t.Fatalf("the plan differs after it was saved (-written +read):\n%s", diff)
		}
		if again := mustEncode(t, saved.Plan); string(again) != string(content) {
			t.Fatal("saving it again gives other bytes")
		}
	})
}

// Whatever bit of the file changes, either nothing of the plan does, as with the
// case of a key of the envelope, or it is refused.
func TestChangedBitsAreNoticed(t *testing.T) {
	p := withLineage(planOf(stateOf(nil), stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 2)})))
	content := mustEncode(t, p)
	refused := 0
	for i := range content {
		for bit := range 8 {
			changed := append([]byte{}, content...)
			changed[i] ^= 1 << bit
			saved, err := ParseSaved(changed, testVersion)
			if err == nil && !cmp.Equal(p, saved.Plan, samePlan) {
				t.Fatalf("bit %d of byte %d changes the plan and is not noticed", bit, i)
			}
			if err != nil {
				refused++
			}
		}
	}
	t.Logf("%d of %d changed bits were refused", refused, 8*len(content))
}

func TestParseSavedRefuses(t *testing.T) {
	good := withLineage(planOf(stateOf(nil), stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 2)})))
	edited := func(edit func(*savedContent)) []byte {
		var e envelope
		var c savedContent
		if err := errors.Join(json.Unmarshal(mustEncode(t, good), &e), json.Unmarshal(e.Content, &c)); err != nil {
			t.Fatal(err)
		}
		edit(&c)
		return sealed(t, c)
	}
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrNotPlan},
		{"a state", []byte(`{"format_version": 1, "serial": 3}`), ErrNotPlan},
		{"another version", sealedBy(t, "1.2.4", good), ErrPlanVersion},
		{"an unknown field", []byte(string(sealedRaw(`{"mode":"normal","sudo":true}`))), ErrInconsistent},
		{"two contents", sealedRaw(`{}`), ErrInconsistent},
		{"another mode", edited(func(c *savedContent) { c.Mode = "hurry" }), ErrInconsistent},
		{"no state", edited(func(c *savedContent) { c.Prior = nil }), ErrInconsistent},
		{"two lineages", edited(func(c *savedContent) { c.Prior.Lineage += "0" }), ErrInconsistent},
		{"a lineage that is a path", edited(func(c *savedContent) { c.Prior.Lineage, c.Desired.Lineage = "../../etc", "../../etc" }), ErrInconsistent},
		{"a copy that comes twice", edited(func(c *savedContent) {
			c.Uploads = []Upload{{Node: "node.a", Blob: thing("x", 1), From: "node.b"}, {Node: "node.a", Blob: thing("x", 1), From: "node.c"}}
		}), ErrInconsistent},
		{"a node that is not described", edited(func(c *savedContent) { delete(c.Desired.Nodes, "node.a") }), ErrInconsistent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseSaved(test.data, testVersion)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			t.Log(err)
		})
	}
}

func sealed(t testing.TB, c savedContent) []byte {
	content, err := encodeCompact(c)
	if err != nil {
		t.Fatal(err)
	}
	return sealedRaw(string(content))
}

// sealedRaw is a file around some content, with the digest that fits.
func sealedRaw(content string) []byte {
	data, err := encodeCompact(envelope{SavedVersion, testVersion, seal(testVersion, []byte(content)), json.RawMessage(content)})
	if err != nil {
		return []byte(content) // no JSON
	}
	return data
}

func sealedBy(t testing.TB, version string, p *Plan) []byte {
	content, err := (&Saved{Plan: p, Version: version}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A plan is stale when anything but white space of the state changed.
func TestCheckState(t *testing.T) {
	p := withLineage(planOf(stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 2)}), stateOf(nil)))
	tests := []struct {
		name string
		edit func(*statefile.State)
		ok   bool
	}{
		{"the same", func(*statefile.State) {}, true},
		{"a later serial", func(s *statefile.State) { s.Serial++ }, false},
		{"another lineage", func(s *statefile.State) { s.Lineage = "87654321" }, false},
		{"edited by hand", func(s *statefile.State) { s.Nodes["node.z"] = statefile.Node{} }, false},
		{"gone", func(s *statefile.State) { *s = *statefile.New() }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			now := statefile.Clone(p.Prior)
			test.edit(now)
			if err := p.CheckState(now); (err == nil) != test.ok || err != nil && !errors.Is(err, ErrStale) {
				t.Errorf("got %v, want no error: %v", err, test.ok)
			}
		})
	}
	fresh := planOf(statefile.New(), statefile.New())
	if err := fresh.CheckState(statefile.New()); err != nil {
		t.Errorf("a plan from nothing, where there is nothing still: %v", err)
	}
}

// FuzzParseSaved reads arbitrary files and, since the digest would keep almost all of
// them from being read on, arbitrary content with the digest that fits.
func FuzzParseSaved(f *testing.F) {
	for _, models := range []map[string]statefile.Model{nil, {"m": pipeline("ab", 4, 2)}, {"m": pipeline("abc", 8, 2, 5), "n": pipeline("d", 3)}} {
		p := withLineage(planOf(stateOf(map[string]statefile.Model{"m": pipeline("ba", 4, 3)}), stateOf(models)))
		data := mustEncode(f, p)
		var e envelope
		if err := json.Unmarshal(data, &e); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add([]byte(e.Content))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ParseSaved(data, testVersion); err != nil && !isSavedError(err) {
			t.Errorf("an error of no class: %v", err)
		}
		saved, err := ParseSaved(sealedRaw(string(data)), testVersion)
		if err != nil {
			if !isSavedError(err) {
				t.Errorf("an error of no class: %v", err)
			}
			return
		}
		content, err := saved.Encode()
		if err != nil {
			t.Fatalf("a plan that was read cannot be written: %v", err)
		}
		again, err := ParseSaved(content, testVersion)
		if err != nil {
			t.Fatalf("a plan that was written cannot be read: %v", err)
		}
		if !cmp.Equal(saved.Plan, again.Plan, samePlan) {
			t.Fatalf("the plan differs:\n%s", cmp.Diff(saved.Plan, again.Plan, samePlan))
		}
	})
}

func isSavedError(err error) bool {
	for _, class := range []error{ErrNotPlan, ErrPlanVersion, ErrTampered, ErrInconsistent} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
