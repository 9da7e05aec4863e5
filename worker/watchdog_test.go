package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// growEnvironment makes the test binary a process that is watched and grows; its
// value says how.
const growEnvironment = "EDGEPLAN_TEST_GROW"

const growLimit = 192 << 20

// grow takes memory until the watchdog ends the process, with exit code 7 when
// it was asked to, and 0 when it was left alone.
func grow(how string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go watchMemory(context.Background(), growLimit, slog.New(slog.NewTextHandler(os.Stdout, nil)), cancel)
	var held [][]byte
	for range 60 {
		held = append(held, touched(10<<20))
		time.Sleep(50 * time.Millisecond)
		if ctx.Err() != nil && how != "stubborn" {
			break
		}
	}
	fmt.Println(len(held), context.Cause(ctx))
	if errors.Is(context.Cause(ctx), ErrMemory) {
		os.Exit(7)
	}
	os.Exit(0)
}

func touched(size int) []byte {
	b := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		b[i] = 1
	}
	return b
}

func runGrowing(t *testing.T, how string) (string, *os.ProcessState) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), growEnvironment+"="+how)
	out, _ := command.CombinedOutput()
	return string(out), command.ProcessState
}

// A process that really grows is told to stop at its limit, and killed when it
// grows on.
func TestWatchdogEndsWhatGrows(t *testing.T) {
	out, state := runGrowing(t, "orderly")
	if state.ExitCode() != 7 || !strings.Contains(out, "memory limit exceeded") || !strings.Contains(out, "limit_bytes=201326592") {
		t.Errorf("%v: %s", state, out)
	}
	out, state = runGrowing(t, "stubborn")
	if state.String() != "signal: killed" || !strings.Contains(out, "goes on to grow and is killed") {
		t.Errorf("%v: %s", state, out)
	}
}

// Mapped files, as weights are, do not count: the system can drop them.
func TestMappedFilesAreNotHeld(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(file, touched(64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := heldMemory("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	data := mapped(t, file)
	sum := 0
	for i := 0; i < len(data); i += 4096 {
		sum += int(data[i])
	}
	after, err := heldMemory("/proc/self/status")
	if err != nil || after-before > 32<<20 || sum == 0 {
		t.Errorf("64 MiB of a mapped file count as %d bytes, %v", after-before, err)
	}
}

func mapped(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := syscall.Mmap(int(f.Fd()), 0, 64<<20, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(data) })
	return data
}

func TestHeldMemoryRefusesNonsense(t *testing.T) {
	for _, text := range []string{"", "VmRSS: 10 kB\n", "RssAnon: much kB\n"} {
		file := filepath.Join(t.TempDir(), "status")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := heldMemory(file); err == nil {
			t.Errorf("%q gives %d", text, n)
		}
	}
	if n, err := heldMemory(filepath.Join("testdata", "status.txt")); err != nil || n != (2048+4+8)<<10 {
		t.Errorf("got %d, %v", n, err)
	}
}

// A worker beyond its limit says so, finishes what it does and returns an error,
// so that its supervisor starts it again.
func TestWorkerStopsBeyondItsLimit(t *testing.T) {
	if m := (Manifest{MemoryBytes: 80 << 20}); m.MemoryLimit() != 100<<20 {
		t.Errorf("the limit is %d", m.MemoryLimit())
	}
	c := newCluster(t, layout{stages: 1, gateway: 0, elements: 10, timeout: 5})
	dir := c.workers[0].dir
	m := c.manifests[0]
	m.MemoryBytes = 1 << 20 // this test takes more
	c.write(0, ManifestFile, m)
	open := func(_ string, st Stage) (engine, error) { return newFakeEngine(&st), nil }
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var log strings.Builder
	err := Run(ctx, dir, Options{open: open, Log: &log})
	if !errors.Is(err, ErrMemory) || ctx.Err() != nil || !strings.Contains(log.String(), "msg=stopped") {
		t.Errorf("got %v\n%s", err, log.String())
	}
}
