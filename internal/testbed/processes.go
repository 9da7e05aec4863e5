package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// workersBut are the processes of workers that run now. Others are processes that are
// known to be none of the device's; those found to be so are added.
func (d *Device) workersBut(others map[int]bool) []int {
	return slices.DeleteFunc(d.processesBut(others), func(pid int) bool {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return !bytes.Contains(line, []byte("/edgeplan-worker\x00run\x00"))
	})
}

// resident is the memory of a process in pages.
func resident(pid int) int {
	var size, resident int
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	_, _ = fmt.Sscan(string(statm), &size, &resident)
	return resident
}

// lastStarted is the youngest of some processes, and 0 of none.
func lastStarted(pids []int) int {
	last, latest := 0, uint64(0)
	for _, pid := range pids {
		if started := startedAt(pid); started > latest {
			last, latest = pid, started
		}
	}
	return last
}

// startedAt is when a process began, in ticks since the system did; 0 where it has ended.
func startedAt(pid int) uint64 {
	fields := statOf(pid)
	if len(fields) < 20 {
		return 0
	}
	ticks, _ := strconv.ParseUint(fields[19], 10, 64)
	return ticks
}

// statOf are the fields of a process that come after its name, the state first (proc(5),
// stat); none where it has ended.
func statOf(pid int) []string {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(content), ") ") // the name before may hold anything else
	return strings.Fields(rest)
}

// killProcess kills one, if there is one.
func killProcess(pid int) error {
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// processes are those of the device, by their ids on this machine.
func (d *Device) processes() []int { return d.processesBut(map[int]bool{}) }

// processesBut leaves others out, and adds to them what is none of the device's.
func (d *Device) processesBut(others map[int]bool) []int {
	if d.plain != nil {
		return d.plain.processes()
	}
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", d.first))
	if err != nil {
		return nil
	}
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || others[pid] {
			continue
		}
		switch target, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); {
		case err == nil && target == own:
			pids = append(pids, pid)
		case err == nil:
			others[pid] = true
		}
	}
	return pids
}

// childOf is the one child of a process. Not every kernel lists them, so all
// processes are asked for their parent.
func childOf(parent int) (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if fields := statOf(pid); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("process %d has no child", parent)
}
