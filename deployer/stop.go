package deployer

import (
	"context"
	"fmt"
	"path"
)

// programFunction finds a worker program that can be trusted to be one: a shell
// takes damaged bytes for a script. That of the release folder $1 is known by
// the folder's list of digests, and the blob $2 by its name. One that was not written to
// since it got its time (blobTime) is not hashed: that would take longer than what most
// commands are for. But a power cut may empty a file and leave its time, and a shell takes an empty
// script for one that worked.
const programFunction = stampedFunction + `
intact() {
	[ -n "$2" ] && [ -f "$1" ] && [ -s "$1" ] && [ -x "$1" ] || return
	stamped "$1" "$2" || { sum=$(sha256sum <"$1") && [ "${sum%% *}" = "$2" ]; }
}
usable_program() {
	if intact "$1/edgeplan-worker" "$(sed -n 's/  edgeplan-worker$//p' "$1/SHA256SUMS" 2>/dev/null)"; then
		printf %s "$1/edgeplan-worker"
	else
		intact "$2" "${2##*/}" && printf %s "$2"
	fi
}
`

// physicalFunction gives a path without links, also when its end is not there.
const physicalFunction = `
physical() (
	dir=$1 rest=
	until cd "${dir:-/}" 2>/dev/null; do
		rest=/${dir##*/}$rest
		dir=${dir%/*}
	done
	base=$(pwd -P)
	printf %s "${base%/}$rest"
)
`

// stopFunction ends the worker of the release folder $1 by its own program, or
// by the blob $2 where that is damaged; with -forget as $3 nothing starts it after
// a reboot either. Without any program, or when it fails, the worker is found by
// the folder it works in. end_workers ends those that work in a folder, and those
// whose folder inside of it was deleted: first what would start them again. It
// gives 0 when it ended one, 1 when there was none and 2 when one stays.
const stopFunction = programFunction + physicalFunction + `
end_process() {
	kill "$1"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(readlink "/proc/$1/cwd")" = "$2" ] || return 0
		sleep 1
	done
	kill -KILL "$1"
	sleep 1
	[ "$(readlink "/proc/$1/cwd")" != "$2" ]
}
end_workers() {
	supervisors= workers=
	for process in /proc/[0-9]*; do
		read -r name <"$process/comm" && [ "$name" = edgeplan-worker ] || continue
		cwd=$(readlink "$process/cwd")
		case $cwd in
		"$1" | "$1/"*" (deleted)") ;;
		*) continue ;;
		esac
		case $(tr '\0' ' ' <"$process/cmdline") in
		*" supervise "*) supervisors="$supervisors ${process#/proc/}" ;;
		*) workers="$workers ${process#/proc/}" ;;
		esac
	done 2>/dev/null
	for pid in $supervisors $workers; do
		cwd=$(readlink "/proc/$pid/cwd") || continue
		end_unit "$pid"
		end_process "$pid" "$cwd" || return 2
	done 2>/dev/null
	[ -n "$supervisors$workers" ]
}
end_unit() {
	unit=$(sed -n 's|.*/\(edgeplan-[A-Za-z0-9_-]*\.service\)$|\1|p' "/proc/$1/cgroup" | head -n 1)
	[ -n "$unit" ] || return 0
	systemctl --user stop "$unit" || systemctl --no-ask-password stop "$unit"
} 2>/dev/null
stop_worker() {
	folder=$(physical "$1")
	[ -e "$folder/worker.lock" ] || return 0
	if program=$(usable_program "$folder" "$2"); then
		"$program" stop $3 "$folder" || end_workers "$folder"
	else
		end_workers "$folder" || [ $? = 1 ]
	fi
}
`

// stop ends the worker of a release. That none runs, or that there is no such
// release, is no error.
func (s *site) stop(ctx context.Context, deployment, id string) error {
	return s.stopWith(ctx, deployment, id, "")
}

// forget stops the worker of a release that goes, and has nothing start it after
// a reboot.
func (s *site) forget(ctx context.Context, deployment, id string) error {
	return s.stopWith(ctx, deployment, id, "-forget")
}

func (s *site) stopWith(ctx context.Context, deployment, id, flag string) error {
	if _, err := s.script(ctx, "stop the worker", stopFunction+`stop_worker "$1" "$2" "$3"`, s.release(deployment, id), s.program, flag); err != nil {
		return fmt.Errorf("stop release %s: %w", id, err)
	}
	return nil
}

// stopOthers ends the workers of all releases of a deployment but one; "" is
// none. It ends those whose release folder was deleted as well.
func (s *site) stopOthers(ctx context.Context, deployment, keep string) error {
	return s.stopAllBut(ctx, deployment, keep, "")
}

// forgetAll is stopOthers and forget for all releases of a deployment.
func (s *site) forgetAll(ctx context.Context, deployment string) error {
	return s.stopAllBut(ctx, deployment, "", "-forget")
}

func (s *site) stopAllBut(ctx context.Context, deployment, keep, flag string) error {
	const script = stopFunction + `
failed=0
for release in "$1"/*; do
	[ "$release" = "$1/$2" ] || stop_worker "$release" "$3" "$4" || failed=1
done
end_workers "$(physical "$1")" || [ $? = 1 ] || failed=1
exit $failed
`
	_, err := s.script(ctx, "stop old workers", script, path.Join(s.deployment(deployment), releasesDir), keep, s.program, flag)
	return err
}
