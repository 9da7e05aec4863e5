package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// Supervision is what keeps a worker running and starts it after a reboot.
type Supervision string

// The ways of supervision, in the order in which they are preferred.
const (
	// SystemUnit is a unit of the system's manager, for root.
	SystemUnit Supervision = "systemd"
	// UserUnit is a unit of the user's manager, which lingers when nobody is logged in.
	UserUnit Supervision = "systemd-user"
	// Cron is a supervisor of edgeplan's own, started by cron after a reboot.
	Cron Supervision = "cron"
	// Unregistered is a supervisor of edgeplan's own that a reboot ends for good.
	Unregistered Supervision = "none"
)

// SupervisionVariable is the environment variable that chooses a Supervision;
// unset or "auto" takes the best one that the device has.
const SupervisionVariable = "EDGEPLAN_SUPERVISION"

// chooseSupervision finds the way that this device and user have.
func chooseSupervision(ctx context.Context) (Supervision, error) {
	switch wanted := Supervision(os.Getenv(SupervisionVariable)); wanted {
	case "", "auto":
	case SystemUnit, UserUnit, Cron, Unregistered:
		return wanted, nil
	default:
		return "", fmt.Errorf("%s is %q: it can be auto, %s, %s, %s or %s", SupervisionVariable, wanted, SystemUnit, UserUnit, Cron, Unregistered)
	}
	switch {
	case booted() && os.Geteuid() == 0:
		return SystemUnit, nil
	case booted() && userManager().usable(ctx) && lingers(ctx):
		return UserUnit, nil
	case found("crontab"):
		return Cron, nil
	}
	return Unregistered, nil
}

// booted says whether systemd runs this device, as sd_booted(3) does.
func booted() bool {
	info, err := os.Stat("/run/systemd/system")
	return err == nil && info.IsDir() && found("systemctl")
}

func found(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// lingers makes the user's manager run from boot on, without a login. systemd's
// policy lets users decide that for themselves.
func lingers(ctx context.Context) bool {
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		return false
	}
	lingering := func() bool {
		_, err := os.Stat(filepath.Join("/var/lib/systemd/linger", u.Username))
		return err == nil
	}
	if lingering() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	_ = exec.CommandContext(ctx, "loginctl", "--no-ask-password", "enable-linger").Run()
	return lingering()
}

// toolTimeout bounds systemctl, loginctl and crontab where they do not start
// or stop a worker.
const toolTimeout = 10 * time.Second

// mark is the content of MarkFile: how a worker was started, and in which run of
// the system. It makes the difference between a release that was started beside
// the current one, and the same release after a reboot, when only the current
// one is to start.
type mark struct {
	Supervision Supervision `json:"supervision"`
	BootID      string      `json:"boot_id"`
	// HadAddress is that the release's address was one of the device's own at some start. It
	// stays when the worker is stopped.
	HadAddress bool `json:"had_address,omitempty"`
}

// writeMark marks a release that is started, to listen at an address.
func writeMark(dir, address string, way Supervision) error {
	return mark{way, bootID(), readMark(dir).HadAddress || isOwn(address)}.write(dir)
}

func (m mark) write(dir string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, MarkFile), append(data, '\n'), 0o600)
}

// readMark gives the mark of a release; none is empty.
func readMark(dir string) mark {
	var m mark
	if data, err := os.ReadFile(filepath.Join(dir, MarkFile)); err == nil {
		_ = json.Unmarshal(data, &m) // one that a power cut damaged is none
	}
	return m
}

func forgetMark(dir string) error {
	if readMark(dir).HadAddress && (mark{HadAddress: true}).write(dir) == nil {
		return nil // else the disk may be full
	}
	err := os.Remove(filepath.Join(dir, MarkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// bootID tells one run of the system from the next (random(4)).
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(id))
}

// Wanted says whether the worker of a release folder is to run: it was started
// since the system has, or it is the current release of its deployment, or promised
// to become that.
func Wanted(dir string) bool {
	if id := bootID(); id != "" && readMark(dir).BootID == id {
		return true
	}
	return isCurrent(dir) || isNamed(promisedLink(dir), dir)
}

// isCurrent says whether the link beside the folder of releases names this one.
func isCurrent(dir string) bool { return isNamed(deploymentLink(dir), dir) }

func isNamed(link, dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	own, err := os.Stat(dir)
	if err != nil {
		return false
	}
	named, err := os.Stat(link)
	return err == nil && os.SameFile(own, named)
}

// deploymentLink is the link to the current release of a release folder's deployment.
func deploymentLink(dir string) string {
	return filepath.Join(dir, "..", "..", CurrentLink)
}

// promisedLink is the link to the release that may be the current one by now.
func promisedLink(dir string) string {
	return filepath.Join(dir, "..", "..", PromisedLink)
}

// inDeployment says whether a folder lies as the deployer lays releases out:
// <deployment>/releases/<id>. Only there can something be started after a reboot.
func inDeployment(dir string) bool { return filepath.Base(filepath.Dir(dir)) == releasesFolder }
