package deployer

import "github.com/edgeplan/edgeplan/worker"

// supervisionScript tells what `edgeplan-worker start` would take to keep a worker
// running and to start it after a reboot (worker.Supervision), and "chosen" where the
// environment says so, or "lingers-not" where the user's manager does not run from boot
// on yet: start tries to change that. It changes nothing.
const supervisionScript = `
supervision() {
	has() { command -v "$1" >/dev/null 2>&1; }
	bounded() { if has timeout; then timeout 5 "$@"; else "$@"; fi; }
	case ${EDGEPLAN_SUPERVISION:-auto} in auto) ;; *) echo "$EDGEPLAN_SUPERVISION chosen"; return ;; esac
	if [ -d /run/systemd/system ] && has systemctl; then
		[ "$(id -u)" = 0 ] && echo systemd && return
		if XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)} bounded systemctl --user --no-ask-password show --property=Version >/dev/null 2>&1; then
			[ -e "/var/lib/systemd/linger/$(id -un)" ] && echo systemd-user && return
			has crontab && echo "cron lingers-not" || echo "none lingers-not"
			return
		fi
	fi
	has crontab && echo cron || echo none
}
echo "supervision $(supervision)"
`

// parseSupervision reads the two words of supervisionScript; a way that is not known is none.
func parseSupervision(words []string) (way worker.Supervision, note string) {
	if len(words) > 1 {
		note = words[1]
	}
	if len(words) > 0 {
		switch known := worker.Supervision(words[0]); known {
		case worker.SystemUnit, worker.UserUnit, worker.Cron, worker.Unregistered:
			way = known
		}
	}
	return way, note
}

// checkReboot warns of a device on which nothing starts a worker after a reboot, unless
// its environment asks for that.
func (m measured) checkReboot(user string) error {
	switch {
	case m.supervision != worker.Unregistered || m.note == "chosen":
		return nil
	case m.note == "lingers-not":
		return problemf("reboot", "run `sudo loginctl enable-linger "+shellWord(user)+"` there, or install cron",
			"nothing may start a worker after a reboot: systemd does not start the user's manager before a login, which apply tries to change, and there is no crontab")
	}
	return problemf("reboot", "install cron there", "nothing starts a worker after a reboot: there is neither a systemd that this user may use nor crontab")
}
