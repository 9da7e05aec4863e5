package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/statefile"
)

const smallState = `{"format_version":1,"serial":4,"lineage":"6f1f0c1e-93b5-4d8e-8f5e-2f8e6d0c7a11","nodes":{"node.hall":{"ssh":{"host":"h",` +
	`"port":22,"user":"pi"},"path":".edgeplan","architecture":"linux/arm64","pipeline_address":"h","pipeline_port":7433,"public_key":""}}}`

// smallDisk mounts a file system of 64 KiB with a state on it. Only the superuser
// can, and not everywhere: it says whether it did.
func smallDisk(t *testing.T) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("no disk of its own for this test (%v: %s): the faults of statefile's tests stand for it", err, bytes.TrimSpace(out))
		return dir, false
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	if err := os.WriteFile(filepath.Join(dir, statefile.StateFile), []byte(smallState), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, true
}

// runIn runs edgeplan in a folder and gives what it printed.
func runIn(dir string, args ...string) (string, error) {
	command := exec.Command(filepath.Join(program, "edgeplan"), args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	return string(out), err
}

// A full disk: the state stays as it was, and what could not be written is printed
// when not even the emergency file has room.
func TestStateOnAFullDisk(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		return
	}
	if out, err := runIn(dir, "state", "list"); err != nil { // makes nothing
		t.Fatalf("%v\n%s", err, out)
	}
	lock := filepath.Join(dir, "."+statefile.StateFile+".lock")
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	out, err := runIn(dir, "state", "mv", "node.hall", "node.lobby")
	if err == nil || !strings.Contains(out, "no space left on device; free some space where "+".") {
		t.Errorf("got %v\n%s", err, out)
	}
	if state, _ := os.ReadFile(filepath.Join(dir, statefile.StateFile)); string(state) != smallState {
		t.Errorf("the state became %q", state)
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	if out, err := runIn(dir, "state", "mv", "node.hall", "node.lobby"); err != nil {
		t.Errorf("with space again: %v\n%s", err, out)
	}
}

// fill writes until nothing more fits.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{4096, 1} {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		err = nil
	}
}

// A folder that cannot be written: what only reads works, and the rest says why not.
func TestStateInAReadOnlyFolder(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		return
	}
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Logf("the disk cannot be made read-only here (%v: %s)", err, bytes.TrimSpace(out))
		return
	}
	if out, err := runIn(dir, "state", "list"); err != nil || out != "node.hall\n" {
		t.Errorf("reading: %v\n%s", err, out)
	}
	out, err := runIn(dir, "state", "mv", "node.hall", "node.lobby")
	want := "cannot lock the state: .edgeplan.state.json.lock: read-only file system; edgeplan needs to read and write in .: change its permissions"
	if err == nil || !strings.Contains(out, want) {
		t.Errorf("got %v\n%s", err, out)
	}
}
