package statefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded makes a folder that holds the sample state with serial 7.
func recorded(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	content, err := EncodeState(sample())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, StateFile), content)
	return dir
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) *State {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	state, err := Parse(path, content)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func load(t *testing.T, m *Manager) *State {
	t.Helper()
	state, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestFirstRun(t *testing.T) {
	dir := t.TempDir()
	m := Open(dir)
	state := load(t, m)
	if state.Serial != 0 || state.Lineage == "" {
		t.Fatalf("a new state has serial %d and lineage %q", state.Serial, state.Lineage)
	}
	for want := uint64(1); want <= 3; want++ {
		if err := m.Record(state); err != nil {
			t.Fatal(err)
		}
		if got := read(t, m.Location()); got.Serial != want || state.Serial != want || got.Lineage != state.Lineage {
			t.Fatalf("recorded serial %d, in memory %d, want %d", got.Serial, state.Serial, want)
		}
	}
	info, err := os.Stat(m.Location())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v; want 0600", info.Mode(), err)
	}
	onlyFiles(t, dir, StateFile, BackupFile)
}

// onlyFiles fails when a folder holds anything else.
func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// The backup is the state before the run, whatever number of steps it records.
func TestBackupIsTheStateBeforeTheRun(t *testing.T) {
	dir := recorded(t)
	for run, before := range []uint64{7, 9} {
		m := Open(dir)
		state := load(t, m)
		for range 2 {
			if err := m.Record(state); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, filepath.Join(dir, BackupFile)); got.Serial != before {
			t.Errorf("run %d: the backup has serial %d, want %d", run, got.Serial, before)
		}
	}
	info, err := os.Stat(filepath.Join(dir, BackupFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v; want 0600", info.Mode(), err)
	}
}

// Steps may be recorded from clones: the serial is the manager's.
func TestRecordTakesTheSerialFromTheFile(t *testing.T) {
	m := Open(recorded(t))
	state := load(t, m)
	for want := uint64(8); want <= 10; want++ {
		step := Clone(state)
		if err := m.Record(step); err != nil || step.Serial != want {
			t.Fatalf("serial %d, error %v; want %d", step.Serial, err, want)
		}
	}
}

func TestRecordRefusesWhenTheFileMovedOn(t *testing.T) {
	tests := []struct {
		name  string
		other func(t *testing.T, dir string)
		text  string
	}{
		{"another run", func(t *testing.T, dir string) {
			m := Open(dir)
			if err := m.Record(load(t, m)); err != nil {
				t.Fatal(err)
			}
		}, "this run goes on from serial 7 of lineage " + testLineage + ", and the state is now serial 8"},
		{"removed", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, StateFile)); err != nil {
				t.Fatal(err)
			}
		}, "the state is now no state"},
		{"another deployment", func(t *testing.T, dir string) {
			other := sample()
			other.Lineage = "00000000-0000-4000-8000-000000000000"
			content, err := EncodeState(other)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, StateFile), content)
		}, "the state is now serial 7 of lineage 00000000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := recorded(t)
			m := Open(dir)
			state := load(t, m)
			test.other(t, dir)
			before, _ := os.ReadFile(m.Location())
			err := m.Record(state)
			if !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %v, want %q", err, test.text)
			}
			if after, _ := os.ReadFile(m.Location()); string(after) != string(before) {
				t.Error("the file was changed all the same")
			}
			// What this run did to the devices is not lost.
			if got := read(t, filepath.Join(dir, EmergencyFile)); got.Serial != 8 {
				t.Errorf("the emergency file has serial %d", got.Serial)
			}
			if state.Serial != 7 {
				t.Errorf("the serial became %d though nothing was recorded", state.Serial)
			}
		})
	}
}

func TestRecordDoesNotReplaceWhatItCannotRead(t *testing.T) {
	dir := recorded(t)
	m := Open(dir)
	state := load(t, m)
	write(t, m.Location(), []byte(`{"format_version":9}`))
	if err := m.Record(state); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("got %v", err)
	}
	if content, _ := os.ReadFile(m.Location()); string(content) != `{"format_version":9}` {
		t.Errorf("the file became %s", content)
	}
}

// A second lineage never takes the place of the first.
func TestRecordRefusesAnotherLineage(t *testing.T) {
	m := Open(recorded(t))
	load(t, m)
	other := New()
	if err := m.Record(other); !errors.Is(err, ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
	if err := m.Record(&State{}); !errors.Is(err, ErrNoLineage) {
		t.Errorf("got %v, want ErrNoLineage", err)
	}
}

// Recording without loading goes on from the serial in the state, as a saved plan has it.
func TestRecordWithoutLoad(t *testing.T) {
	dir := recorded(t)
	if err := Open(dir).Record(sample()); err != nil {
		t.Fatal(err)
	}
	if err := Open(dir).Record(sample()); !errors.Is(err, ErrMoved) {
		t.Errorf("the plan of serial 7 was recorded twice: %v", err)
	}
}

func TestLoadRefusesAStateThatAFailedRunIsAheadOf(t *testing.T) {
	ahead := sample()
	ahead.Serial = 8
	content, err := EncodeState(ahead)
	if err != nil {
		t.Fatal(err)
	}
	dir := recorded(t)
	emergency := filepath.Join(dir, EmergencyFile)
	write(t, emergency, content)
	m := Open(dir)
	if _, err := m.Load(t.Context()); !errors.Is(err, ErrUnfinished) || !strings.Contains(err.Error(), "state push") {
		t.Fatalf("got %v", err)
	}
	if err := os.Rename(emergency, m.Location()); err != nil { // what the message says
		t.Fatal(err)
	}
	if state := load(t, m); state.Serial != 8 {
		t.Errorf("serial %d", state.Serial)
	}
}

func TestLoadPassesAnOldEmergencyFile(t *testing.T) {
	dir := recorded(t)
	old := sample()
	old.Serial = 5
	content, err := EncodeState(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		content []byte
		passed  string
	}{{content, "holds serial 5, and the state has gone on from another to serial 7"}, {[]byte("not a state"), ""}} {
		write(t, filepath.Join(dir, EmergencyFile), test.content)
		m := Open(dir)
		if state := load(t, m); state.Serial != 7 {
			t.Errorf("serial %d", state.Serial)
		}
		if got := m.Passed(); !strings.Contains(got, test.passed) || (got == "") != (test.passed == "") {
			t.Errorf("it says %q, want %q", got, test.passed)
		}
	}
}

// A state that is a symbolic link stays one: the file behind it is replaced.
func TestRecordThroughALink(t *testing.T) {
	dir, shared := t.TempDir(), recorded(t)
	if err := os.Symlink(filepath.Join(shared, StateFile), filepath.Join(dir, StateFile)); err != nil {
		t.Fatal(err)
	}
	m := Open(dir)
	if err := m.Record(load(t, m)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(shared, StateFile)); got.Serial != 8 {
		t.Errorf("the file behind the link has serial %d, want 8", got.Serial)
	}
}
