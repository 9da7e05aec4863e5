package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// limits puts processes into control groups with a share of a core (cpu.cfs_quota_us of
// cgroups v1, cpu.max of v2). The zero value limits nothing.
type limits struct {
	root string // the group of this run
	v2   bool
	made int
}

// period in microseconds: short, so that a limited device runs evenly and not in bursts.
const period = 10_000

func newLimits() (limits, error) {
	for _, l := range []limits{
		{root: fmt.Sprintf("/sys/fs/cgroup/cpu/edgeplan-bench-%d", os.Getpid())},
		{root: fmt.Sprintf("/sys/fs/cgroup/edgeplan-bench-%d", os.Getpid()), v2: true},
	} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(l.root), l.probe())); err != nil {
			continue
		}
		if err := os.Mkdir(l.root, 0o755); err != nil {
			return limits{}, err
		}
		return l, errors.Join(l.prepare(), l.enter())
	}
	return limits{}, errors.New("no control groups for processors here")
}

func (l limits) probe() string {
	if l.v2 {
		return "cgroup.subtree_control"
	}
	return "cpu.cfs_quota_us"
}

// prepare lets the devices have their shares also while other programs are busy.
func (l limits) prepare() error {
	if !l.v2 {
		return l.write("", "cpu.shares", "65536")
	}
	return errors.Join(l.write("..", "cgroup.subtree_control", "+cpu"), l.write("", "cgroup.subtree_control", "+cpu"), l.write("", "cpu.weight", "1000"))
}

// enter moves this program, and so the gateway that it starts, into a group of its own
// without a limit, so that links and clients hold to their rates as well.
func (l limits) enter() error {
	if err := os.Mkdir(filepath.Join(l.root, own), 0o755); err != nil {
		return err
	}
	return l.write(own, "cgroup.procs", strconv.Itoa(os.Getpid()))
}

// own is the group of this program.
const own = "own"

func (l limits) write(group, file, value string) error {
	return os.WriteFile(filepath.Join(l.root, group, file), []byte(value), 0)
}

// device makes a group with a share of a core.
func (l *limits) device(share float64) (string, error) {
	if l.root == "" {
		return "", nil
	}
	l.made++
	name := strconv.Itoa(l.made)
	if err := os.Mkdir(filepath.Join(l.root, name), 0o755); err != nil {
		return "", err
	}
	quota := strconv.Itoa(int(share * period))
	if l.v2 {
		return name, l.write(name, "cpu.max", fmt.Sprintf("%s %d", quota, period))
	}
	return name, errors.Join(l.write(name, "cpu.cfs_period_us", strconv.Itoa(period)), l.write(name, "cpu.cfs_quota_us", quota))
}

// command runs a program in a device's group from its first instruction on, on one
// processor: on two, the part of a short period that the other has taken and not used is
// lost, and a program of several threads would get less than its share.
func (l limits) command(device, program string, args ...string) *exec.Cmd {
	if l.root == "" || device == "" {
		return exec.Command(program, args...)
	}
	procs := filepath.Join(l.root, device, "cgroup.procs")
	number, _ := strconv.Atoi(device)
	processor := strconv.Itoa(number % runtime.NumCPU())
	return exec.Command("sh", append([]string{"-c", `echo $$ >"$0" && exec taskset -c "$@"`, procs, processor, program}, args...)...)
}

func (l limits) remove() {
	if l.root == "" {
		return
	}
	_ = l.write("..", "cgroup.procs", strconv.Itoa(os.Getpid()))
	_ = os.Remove(filepath.Join(l.root, own))
	for i := range l.made {
		_ = os.Remove(filepath.Join(l.root, strconv.Itoa(i+1)))
	}
	_ = os.Remove(l.root)
}
