// Package cpushare holds programs to shares of a processor, as slow devices are made of
// for benchmarks. It needs root and control groups of either version.
package cpushare

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// Limits puts processes into control groups with a share of a core (cpu.cfs_quota_us of
// cgroups v1, cpu.max of v2). The zero value limits nothing.
type Limits struct {
	Root string // the group of this run; "" limits nothing
	v2   bool
	made int
}

// Period in microseconds: short, so that a limited device runs evenly and not in bursts.
const Period = 10_000

// New makes a group for this run, and moves this program into one below it that has no limit.
func New() (Limits, error) {
	for _, l := range []Limits{
		{Root: fmt.Sprintf("/sys/fs/cgroup/cpu/edgeplan-bench-%d", os.Getpid())},
		{Root: fmt.Sprintf("/sys/fs/cgroup/edgeplan-bench-%d", os.Getpid()), v2: true},
	} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(l.Root), l.probe())); err != nil {
			continue
		}
		if err := os.Mkdir(l.Root, 0o755); err != nil {
			return Limits{}, err
		}
		if err := errors.Join(l.prepare(), l.enter()); err != nil {
			l.Remove()
			return Limits{}, err
		}
		return l, nil
	}
	return Limits{}, errors.New("no control groups for processors here")
}

func (l Limits) probe() string {
	if l.v2 {
		return "cgroup.subtree_control"
	}
	return "cpu.cfs_quota_us"
}

// prepare lets the devices have their shares also while other programs are busy.
func (l Limits) prepare() error {
	if !l.v2 {
		return l.write("", "cpu.shares", "65536")
	}
	return errors.Join(l.write("..", "cgroup.subtree_control", "+cpu"), l.write("", "cgroup.subtree_control", "+cpu"), l.write("", "cpu.weight", "1000"))
}

// enter moves this program, and so the gateway that it starts, into a group of its own
// without a limit, so that links and clients hold to their rates as well.
func (l Limits) enter() error {
	if err := os.Mkdir(filepath.Join(l.Root, own), 0o755); err != nil {
		return err
	}
	return l.write(own, "cgroup.procs", strconv.Itoa(os.Getpid()))
}

// own is the group of this program.
const own = "own"

func (l Limits) write(group, file, value string) error {
	return os.WriteFile(filepath.Join(l.Root, group, file), []byte(value), 0)
}

// Device makes a group with a share of a core.
func (l *Limits) Device(share float64) (string, error) {
	if l.Root == "" {
		return "", nil
	}
	l.made++
	name := strconv.Itoa(l.made)
	if err := os.Mkdir(filepath.Join(l.Root, name), 0o755); err != nil {
		return "", err
	}
	quota := strconv.Itoa(int(share * Period))
	if l.v2 {
		return name, l.write(name, "cpu.max", fmt.Sprintf("%s %d", quota, Period))
	}
	return name, errors.Join(l.write(name, "cpu.cfs_period_us", strconv.Itoa(Period)), l.write(name, "cpu.cfs_quota_us", quota))
}

// quotaFile is where a device's time in a period is, in microseconds; version 2 keeps the period
// of a file that only the first number is written to.
func (l Limits) quotaFile() string {
	if l.v2 {
		return "cpu.max"
	}
	return "cpu.cfs_quota_us"
}

// Command runs a program in a device's group from its first instruction on, on one
// processor: on two, the part of a short period that the other has taken and not used is
// lost, and a program of several threads would get less than its share.
func (l Limits) Command(device, program string, args ...string) *exec.Cmd {
	if l.Root == "" || device == "" {
		return exec.Command(program, args...)
	}
	procs := filepath.Join(l.Root, device, "cgroup.procs")
	processor := strconv.Itoa(processorOf(device))
	return exec.Command("sh", append([]string{"-c", `echo $$ >"$0" && exec taskset -c "$@"`, procs, processor, program}, args...)...)
}

// processorOf is the processor of a device.
func processorOf(device string) int {
	number, _ := strconv.Atoi(device)
	return number % runtime.NumCPU()
}

// Remove removes the groups; their programs have ended.
func (l Limits) Remove() {
	if l.Root == "" {
		return
	}
	_ = l.write("..", "cgroup.procs", strconv.Itoa(os.Getpid()))
	_ = os.Remove(filepath.Join(l.Root, own))
	for i := range l.made {
		_ = os.Remove(filepath.Join(l.Root, strconv.Itoa(i+1)))
	}
	_ = os.Remove(l.Root)
}
