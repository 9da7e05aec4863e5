package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var errFault = errors.New("injected fault")

// faultyFiles fails chosen operations of the real file system. A write that
// fails has written half.
type faultyFiles struct {
	osFiles
	count int
	fails func(n int) bool // n from 1
	log   []string
}

func (f *faultyFiles) step(operation string) error {
	f.count++
	f.log = append(f.log, operation)
	if f.fails(f.count) {
		return fmt.Errorf("%s: %w", operation, errFault)
	}
	return nil
}

func (f *faultyFiles) ReadFile(path string) ([]byte, error) {
	if err := f.step("read " + filepath.Base(path)); err != nil {
		return nil, err
	}
	return f.osFiles.ReadFile(path)
}

func (f *faultyFiles) CreateTemp(dir, pattern string) (tempFile, error) {
	if err := f.step("create " + pattern); err != nil {
		return nil, err
	}
	temp, err := f.osFiles.CreateTemp(dir, pattern)
	return &faultyTemp{temp, f}, err
}

func (f *faultyFiles) Rename(from, to string) error {
	if err := f.step("rename to " + filepath.Base(to)); err != nil {
		return err
	}
	return f.osFiles.Rename(from, to)
}

func (f *faultyFiles) Remove(path string) error {
	if err := f.step("remove"); err != nil {
		return err
	}
	return f.osFiles.Remove(path)
}

func (f *faultyFiles) TryLock(path string) (fileLock, error) {
	if err := f.step("lock"); err != nil {
		return nil, err
	}
	return f.osFiles.TryLock(path)
}

func (f *faultyFiles) SyncDir(dir string) error {
	if err := f.step("sync folder"); err != nil {
		return err
	}
	return f.osFiles.SyncDir(dir)
}

type faultyTemp struct {
	tempFile
	files *faultyFiles
}

func (t *faultyTemp) Write(p []byte) (int, error) {
	if err := t.files.step("write"); err != nil {
		n, _ := t.tempFile.Write(p[:len(p)/2])
		return n, err
	}
	return t.tempFile.Write(p)
}

func (t *faultyTemp) Sync() error {
	if err := t.files.step("sync"); err != nil {
		return err
	}
	return t.tempFile.Sync()
}

func (t *faultyTemp) Close() error {
	return errors.Join(t.files.step("close"), t.tempFile.Close())
}

// faultModes are ways for the n-th operation to go wrong: it alone, as a
// passing fault, or everything from it on, as a full disk or the end of the process.
func faultModes(n int) map[string]func(int) bool {
	return map[string]func(int) bool{
		"only":    func(i int) bool { return i == n },
		"from on": func(i int) bool { return i >= n },
	}
}

// Whichever file operation fails, the file is the old or the new state, whole,
// and the run and the next one can go on from it.
func TestRecordWithEveryOperationFailing(t *testing.T) {
	operations := 0
	for n := 1; ; n++ {
		reached := false
		for mode, fails := range faultModes(n) {
			t.Run(fmt.Sprintf("%d %s", n, mode), func(t *testing.T) {
				files := &faultyFiles{fails: fails}
				checkRecordWithFaults(t, files)
				reached = reached || files.count >= n
			})
		}
		if !reached {
			break
		}
		operations = n
	}
	if operations < 13 { // read, backup (6), state (6)
		t.Errorf("only %d operations were tried", operations)
	}
}

// useFiles puts another file system under a manager of a local state.
func useFiles(m *Manager, files fileSystem) {
	m.files = files
	m.backend.(*local).files = files
}

func checkRecordWithFaults(t *testing.T, files *faultyFiles) {
	dir := recorded(t)
	m := Open(dir)
	state := load(t, m)
	useFiles(m, files)
	state.Outputs["throughput"] = []byte(`21`)
	err := m.Record(state)
	useFiles(m, osFiles{})

	got := read(t, m.Location())
	isNew := got.Serial == 8 && string(got.Outputs["throughput"]) == "21"
	isOld := got.Serial == 7 && string(got.Outputs["throughput"]) == "20"
	if !isNew && !isOld {
		t.Fatalf("the file is neither the old nor the new state: serial %d, %s; after %v", got.Serial, got.Outputs["throughput"], files.log)
	}
	if err == nil && !isNew {
		t.Fatalf("no error, and the old state is there; after %v", files.log)
	}
	if state.Serial != got.Serial && (err == nil || !isNew) {
		t.Errorf("in memory serial %d, in the file %d", state.Serial, got.Serial)
	}
	if err != nil {
		checkWriteError(t, dir, err)
	}
	// The next step of the same run is recorded, and the next run finds nothing in its way.
	if err := m.Record(state); err != nil {
		t.Fatalf("the next step: %v", err)
	}
	if next := load(t, Open(dir)); next.Serial != state.Serial || next.Serial <= got.Serial {
		t.Errorf("the next run reads serial %d, want %d, after %d", next.Serial, state.Serial, got.Serial)
	}
}

// The state that could not be recorded is in the emergency file, or in the error.
func checkWriteError(t *testing.T, dir string, err error) {
	t.Helper()
	var problem *WriteError
	if !errors.As(err, &problem) || !errors.Is(err, errFault) {
		t.Fatalf("got %v, want a *WriteError with the cause", err)
	}
	saved, parseErr := Parse("content", problem.Content)
	if parseErr != nil || saved.Serial != 8 {
		t.Fatalf("the content in the error is serial %v, error %v", saved, parseErr)
	}
	if problem.Emergency == "" {
		if !strings.Contains(err.Error(), "save what is printed with this error") {
			t.Errorf("no advice in %v", err)
		}
		return
	}
	if got := read(t, filepath.Join(dir, EmergencyFile)); got.Serial != 8 {
		t.Errorf("the emergency file has serial %d", got.Serial)
	}
	if !strings.Contains(err.Error(), problem.Emergency) || !strings.Contains(err.Error(), "before anything else") {
		t.Errorf("no advice in %v", err)
	}
}

// A read-only folder, for real. The superuser writes there all the same.
func TestRecordInAReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("running as superuser: the faults above stand for this")
		return
	}
	dir := recorded(t)
	m := Open(dir)
	state := load(t, m)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	var problem *WriteError
	if err := m.Record(state); !errors.As(err, &problem) || problem.Emergency != "" {
		t.Errorf("got %v", err)
	}
}
