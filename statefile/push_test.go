package statefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What may take the place of the sample, which has serial 7.
func TestPush(t *testing.T) {
	tests := []struct {
		name   string
		change func(*State)
		want   error // without force
		serial uint64
	}{
		{"the same", func(*State) {}, nil, 7},
		{"newer", func(s *State) { s.Serial = 9 }, nil, 9},
		{"older", func(s *State) { s.Serial = 5 }, ErrOlder, 8},
		{"another content under the same serial", func(s *State) { delete(s.Outputs, "note") }, ErrOlder, 8},
		{"another lineage", func(s *State) { s.Lineage = "00000000-0000-4000-8000-000000000000" }, ErrOtherLineage, 7},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := recorded(t)
			pushed := sample()
			test.change(pushed)
			err := Open(dir).Push(t.Context(), pushed, false)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err != nil {
				if got := read(t, filepath.Join(dir, StateFile)); !cmp.Equal(got, sample()) {
					t.Error("refused, and the state changed")
				}
				if err := Open(dir).Push(t.Context(), pushed, true); err != nil {
					t.Fatalf("forced: %v", err)
				}
			}
			got := read(t, filepath.Join(dir, StateFile))
			if got.Serial != test.serial {
				t.Errorf("serial %d, want %d", got.Serial, test.serial)
			}
			if diff := cmp.Diff(pushed, got); diff != "" {
				t.Errorf("the state (-pushed +got):\n%s", diff)
			}
		})
	}
}

// What is damaged is only replaced by force.
func TestPushOverADamagedState(t *testing.T) {
	dir := recorded(t)
	write(t, filepath.Join(dir, StateFile), []byte("{"))
	if err := Open(dir).Push(t.Context(), sample(), false); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
	if err := Open(dir).Push(t.Context(), sample(), true); err != nil {
		t.Error(err)
	}
	if content, _ := os.ReadFile(filepath.Join(dir, BackupFile)); string(content) != "{" {
		t.Errorf("the backup holds %q", content)
	}
}

// Pushing what a failed run left settles it.
func TestPushOfTheEmergencyFile(t *testing.T) {
	dir := recorded(t)
	left := sample()
	left.Serial = 8
	content, err := EncodeState(left)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, EmergencyFile), content)
	if err := Open(dir).Push(t.Context(), left, false); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, dir, StateFile, BackupFile)
	if got := load(t, Open(dir)); got.Serial != 8 {
		t.Errorf("serial %d", got.Serial)
	}
}

func TestAddresses(t *testing.T) {
	s := sample()
	want := `node.pi["gate"] node.pi["hall"] model.net slice.net[0] slice.net[1]`
	if got := strings.Join(Addresses(s), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, address := range Addresses(s) {
		if Find(s, address) == nil {
			t.Errorf("%s is not found", address)
		}
	}
	for _, address := range []string{"", "net", "model.", "node.pi", "slice.net", "slice.net[2]", "slice.net[-1]", "slice.net[00]", "slice.net[0]x", "slice.other[0]"} {
		if got := Find(s, address); got != nil {
			t.Errorf("%q is %v", address, got)
		}
	}
}

// A node that moves there and back leaves no trace, and none of its old name between.
func TestMoveNode(t *testing.T) {
	s := sample()
	if err := MoveNode(s, `node.pi["hall"]`, "node.lobby"); err != nil {
		t.Fatal(err)
	}
	content, err := EncodeState(s)
	if err != nil || strings.Contains(string(content), "hall") != strings.Contains(string(content), "hall.local") {
		t.Errorf("the old address is still in (error %v):\n%s", err, content)
	}
	if err := MoveNode(s, "node.lobby", `node.pi["hall"]`); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), s); diff != "" {
		t.Errorf("there and back (-want +got):\n%s", diff)
	}
}

// An error leaves the state as it was.
func TestRemove(t *testing.T) {
	s := sample()
	for _, addresses := range [][]string{{`node.pi["hall"]`}, {"slice.net[0]"}} {
		if err := Remove(s, addresses); !errors.Is(err, ErrPart) {
			t.Errorf("%v: got %v, want ErrPart", addresses, err)
		}
	}
	if diff := cmp.Diff(sample(), s); diff != "" {
		t.Errorf("refused, and changed:\n%s", diff)
	}
	if err := Remove(s, []string{`node.pi["hall"]`, "model.net", "slice.net[0]"}); err != nil || len(s.Models) != 0 || len(s.Nodes) != 1 {
		t.Errorf("error %v, left %v", err, Addresses(s))
	}
}
