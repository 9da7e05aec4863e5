package testbed

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
)

// Files of a device, in a folder of this machine.
const (
	imageFile   = "disk.img" // its disk
	diskFolder  = "disk"     // where the disk is mounted, in the device's own mount namespace
	configFile  = "sshd_config"
	sessionFile = "session"  // what sshd runs for every session
	bootIDFile  = "boot_id"  // of the current boot
	machineFile = "machine"  // what `uname -m` says; absent is the truth
	binFolder   = "bin"      // programs that come before the system's
	initFile    = "init"     // its first process
	ballastFile = ".ballast" // on its disk: takes all that was free
	sftpServer  = "/usr/lib/openssh/sftp-server"
)

//go:embed init.sh
var initScript string

// Device is one device of a bed.
type Device struct {
	Name        string
	Address     string // of its network interface
	Port        int    // of SSH there
	User        string // who may log in
	HostKeyLine string // as in authorized_keys

	plain  *plain // nil for a device made of namespaces
	bed    *Bed
	dir    string
	number int
	memory *memoryLimit
	run    *namespace // nil while it is off
	first  int        // process id of its first process on this machine
}

func newDevice(b *Bed, dir, name string, number int, o Options) (*Device, error) {
	d := &Device{Name: name, Address: address(number), Port: 22, User: "root", bed: b, dir: dir, number: number}
	if err := makeDisk(d.file(imageFile), o.DiskBytes); err != nil {
		return nil, err
	}
	hostKey, err := sshdtest.WriteHostKey(d.file("host_key"))
	if err != nil {
		return nil, err
	}
	d.HostKeyLine = hostKey
	return d, errors.Join(
		os.Mkdir(d.file(diskFolder), 0o755),
		os.Mkdir(d.file(binFolder), 0o755),
		os.WriteFile(d.file("authorized_keys"), ssh.MarshalAuthorizedKey(o.AuthorizedKey), 0o600),
		os.WriteFile(d.file(configFile), []byte(d.sshdConfig()), 0o600),
		os.WriteFile(d.file(sessionFile), []byte(d.session()), 0o755),
		os.WriteFile(d.file("bin/crontab"), []byte(d.crontab()), 0o755),
		os.WriteFile(d.file("bin/uname"), []byte(d.uname()), 0o755),
		os.WriteFile(d.file(initFile), []byte(initScript), 0o755),
	)
}

func (d *Device) file(name string) string { return filepath.Join(d.dir, name) }

func (d *Device) sshdConfig() string {
	return strings.Join([]string{
		"ListenAddress " + d.Address,
		"HostKey " + d.file("host_key"),
		"AuthorizedKeysFile " + d.file("authorized_keys"),
		"PidFile none",
		"StrictModes no",
		"UsePAM no",
		"UseDNS no",
		"PermitRootLogin prohibit-password",
		"MaxStartups 100",
		"Subsystem sftp " + sftpServer,
		"ForceCommand " + d.file(sessionFile),
		"SetEnv SHLVL=2", // keeps bash from reading the .bashrc of whoever runs the test
	}, "\n") + "\n"
}

func (d *Device) environment() string {
	return fmt.Sprintf("HOME=%s/home PATH=%s:/usr/sbin:/usr/bin:/sbin:/bin EDGEPLAN_SUPERVISION=cron",
		d.file(diskFolder), d.file(binFolder))
}

func (d *Device) session() string {
	return "#!/bin/sh\nexport " + d.environment() + "\ncd \"$HOME\" || exit 1\n" +
		"[ \"$SSH_ORIGINAL_COMMAND\" = " + sftpServer + " ] && exec " + sftpServer + "\n" +
		"exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
}

// crontab is a crontab(1) over a file on the device's disk.
func (d *Device) crontab() string {
	return "#!/bin/sh\ntable=" + d.file(diskFolder) + `/crontab
case $1 in
-l) cat "$table" 2>/dev/null || { echo "no crontab for root" >&2; exit 1; } ;;
-) cat >"$table.new" && mv -f "$table.new" "$table" ;;
esac
`
}

// uname is a uname(1) that may speak of another machine.
func (d *Device) uname() string {
	return "#!/bin/sh\n[ \"$1\" = -m ] && [ -s " + d.file(machineFile) + " ] && exec cat " + d.file(machineFile) + "\nexec /usr/bin/uname \"$@\"\n"
}

// boot starts the device: its disk, its network, its SSH server, and what cron
// starts after a reboot.
func (d *Device) boot() error {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	id := fmt.Sprintf("%x-%x-%x-%x-%x\n", random[:4], random[4:6], random[6:8], random[8:10], random[10:])
	if err := os.WriteFile(d.file(bootIDFile), []byte(id), 0o644); err != nil {
		return err
	}
	_ = exec.Command("e2fsck", "-y", d.file(imageFile)).Run() // tells by its exit code what it has mended
	run, err := newNamespace(exec.Command("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc",
		"--kill-child=KILL", "sh", d.file(initFile), d.dir))
	if err != nil {
		return fmt.Errorf("%s does not start: %w", d.Name, err)
	}
	d.run = run
	if d.first, err = childOf(run.process.Process.Pid); err != nil {
		return err
	}
	if err := d.plug(); err != nil {
		return err
	}
	return d.ask("serve", "cron")
}

// plug connects the device to the network. Neighbours know each other's hardware
// addresses, so that a device that falls silent is one, and not unknown.
func (d *Device) plug() error {
	if err := d.bed.operator.ip(
		fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %d", d.port(), mac(d.number), d.run.process.Process.Pid),
		"link set "+d.port()+" master br0 up",
		fmt.Sprintf("neigh replace %s lladdr %s dev br0 nud permanent", d.Address, mac(d.number))); err != nil {
		return err
	}
	lines := []string{"link set lo up", "addr add " + d.Address + "/24 dev eth0", "link set eth0 up",
		fmt.Sprintf("neigh replace %s lladdr %s dev eth0 nud permanent", address(operatorNumber), mac(operatorNumber))}
	for i := range 16 {
		if i+1 != d.number {
			lines = append(lines, fmt.Sprintf("neigh replace %s lladdr %s dev eth0 nud permanent", address(i+1), mac(i+1)))
		}
	}
	return d.run.ip(lines...)
}

// port is the device's end of the network on the operator's side.
func (d *Device) port() string { return "d" + strconv.Itoa(d.number) }

// ask has the device do something, and waits until it has.
func (d *Device) ask(commands ...string) error {
	for _, command := range commands {
		if _, err := fmt.Fprintln(d.run.stdin, command); err != nil {
			return fmt.Errorf("%s: %s: %w", d.Name, command, err)
		}
		if answer, err := d.run.stdout.next(); answer != "done" {
			return fmt.Errorf("%s: %s: %q, %w", d.Name, command, answer, err)
		}
	}
	return nil
}

// Home is the home folder of who logs in, as this machine sees it while the device is on.
func (d *Device) Home() string {
	if d.plain != nil {
		return d.plain.server.Home
	}
	return filepath.Join(d.disk(), "home")
}

func (d *Device) disk() string {
	return fmt.Sprintf("/proc/%d/root%s", d.first, d.file(diskFolder))
}

// end ends all processes of the device at once, and waits until they are gone.
func (d *Device) end() {
	if d.run == nil {
		return
	}
	d.run.end()
	for deadline := time.Now().Add(answerTime); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", d.first)); err != nil {
			break
		}
	}
	d.run = nil
}
