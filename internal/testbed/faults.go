package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// KillServer ends the SSH server and all of its sessions. Commands that ran in them go on.
func (d *Device) KillServer() error {
	if d.plain != nil {
		d.plain.server.Kill()
		return nil
	}
	return d.ask("unserve")
}

// StartServer starts it again.
func (d *Device) StartServer() error {
	if d.plain != nil {
		d.plain.server.Restart(d.plain.t)
		return nil
	}
	return d.ask("serve")
}

// Cut takes the network cable out: both sides see that.
func (d *Device) Cut() error {
	if d.plain != nil {
		d.plain.cut.Store(true)
		d.plain.closeAll()
		return nil
	}
	return d.bed.operator.ip("link set " + d.port() + " down")
}

// Join puts it back.
func (d *Device) Join() error {
	if d.plain != nil {
		d.plain.cut.Store(false)
		return nil
	}
	return d.bed.operator.ip("link set " + d.port() + " up")
}

// Hush drops all packets from and to the device, and nobody sees why.
func (d *Device) Hush() error {
	if d.plain != nil {
		d.plain.silent.Store(true)
		return nil
	}
	return d.bed.operator.ip("link set " + d.port() + " nomaster")
}

// Unhush lets packets through again.
func (d *Device) Unhush() error {
	if d.plain != nil {
		d.plain.unhush()
		return nil
	}
	return d.bed.operator.ip("link set " + d.port() + " master br0")
}

// PowerOff takes the power away: what was not on the disk yet is lost.
func (d *Device) PowerOff() error {
	if err := d.bed.operator.ip("link del " + d.port()); err != nil {
		return err
	}
	if err := d.ask("freeze"); err != nil {
		return err
	}
	left := d.file(imageFile + ".left")
	if err := snapshot(d.file(imageFile), left); err != nil {
		return err
	}
	d.end() // unmounts the disk, which would bring everything onto it
	return os.Rename(left, d.file(imageFile))
}

// snapshot copies a disk as it is at one moment. The kernel may be writing to it: a
// copy that is the same a second time was the disk at the moment in between.
func snapshot(image, to string) error {
	for range 100 {
		if out, err := exec.Command("cp", "--sparse=always", image, to).CombinedOutput(); err != nil {
			return fmt.Errorf("copy the disk: %w: %s", err, out)
		}
		if exec.Command("cmp", "-s", image, to).Run() == nil {
			return nil
		}
	}
	return errors.New("the disk never comes to rest")
}

// PowerOn starts the device again.
func (d *Device) PowerOn() error { return d.boot() }

// FillDisk takes all that is free on the disk.
func (d *Device) FillDisk() error {
	f, err := os.Create(filepath.Join(d.disk(), ballastFile))
	if err != nil {
		return err
	}
	defer f.Close()
	for block := int64(64 << 20); block >= 4<<10; {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if allocate(f, info.Size(), block) != nil {
			block /= 2
		}
	}
	return nil
}

// FreeDisk gives it back.
func (d *Device) FreeDisk() error { return os.Remove(filepath.Join(d.disk(), ballastFile)) }

// FailDisk makes the file system read-only as the kernel does when a medium fails:
// with it goes what was not written yet. Only PowerOff and PowerOn mend that.
func (d *Device) FailDisk() error { return d.ask("abort") }

// LimitMemory leaves workers next to no memory, so that the kernel ends each that
// wants more, and ends the one that was started last at once.
func (d *Device) LimitMemory() error {
	others := map[int]bool{}
	last := lastStarted(d.workersBut(others))
	d.memory = startMemoryLimit(d.HostKeyLine, func() []int { return d.workersBut(others) })
	return killProcess(last)
}

// UnlimitMemory lifts the limit.
func (d *Device) UnlimitMemory() error { return d.memory.end() }

// Become makes the device one of another architecture, as if its disk were put into
// another board: `uname -m` says so, and its kernel runs none of edgeplan's programs.
// An ELF machine (elf(5)) of 0 is this machine's own. The device must be off and is
// on again afterwards.
func (d *Device) Become(machine string, elf byte) error {
	if err := os.WriteFile(d.file(machineFile), []byte(machine+"\n"), 0o644); err != nil {
		return err
	}
	if machine == "" {
		_ = os.Remove(d.file(machineFile))
	}
	mounted := d.file("board")
	if err := os.MkdirAll(mounted, 0o755); err != nil {
		return err
	}
	script := `mount -o loop "$1" "$2" && find "$2/home" -type f -size +64k | while read -r f; do
		[ "$(head -c 4 "$f" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] && printf "$3" | dd of="$f" bs=1 seek=18 conv=notrunc status=none
	done; umount "$2"`
	if elf == 0 {
		elf = ownMachine
	}
	out, err := exec.Command("unshare", "--mount", "sh", "-c", script, "become", d.file(imageFile), mounted, fmt.Sprintf(`\%03o`, elf)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return d.boot()
}

// Look tells what runs on the device and what is in its home folder.
func (d *Device) Look() string {
	var b strings.Builder
	for _, pid := range d.processes() {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		fmt.Fprintf(&b, "%d %s\n", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
	}
	if d.plain != nil {
		return b.String()
	}
	for _, args := range [][]string{
		{"find", d.Home(), "-not", "-path", "*/blobs/*", "-printf", "%P %s %l\n"},
		{"cat", filepath.Join(d.disk(), "crontab")},
		{"sh", "-c", "tail -n 15 " + d.Home() + "/.edgeplan/*/releases/*/worker.log"},
		{"tail", "-n", "20", d.file("init.log")},
	} {
		out, _ := exec.Command(args[0], args[1:]...).CombinedOutput()
		fmt.Fprintf(&b, "%s\n", out)
	}
	return b.String()
}
