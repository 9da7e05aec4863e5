package deployer

import (
	"context"
	"fmt"
	"path"
)

// programFunction finds a worker program that can be trusted to be one: a shell
// takes damaged bytes for a script. That of the release folder $1 is known by
// the folder's list of digests, and the blob $2 by its name.
const programFunction = `
intact() {
	[ -n "$2" ] && [ -f "$1" ] && [ -x "$1" ] && sum=$(sha256sum <"$1") && [ "${sum%% *}" = "$2" ]
}
usable_program() {
	if intact "$1/edgeplan-worker" "$(sed -n 's/  edgeplan-worker$//p' "$1/SHA256SUMS" 2>/dev/null)"; then
		printf %s "$1/edgeplan-worker"
	else
		intact "$2" "${2##*/}" && printf %s "$2"
	fi
}
`

// stopFunction ends the worker of the release folder $1 by its own program, or
// by the blob $2 where that is damaged. Without any program, or when it fails,
// the worker is found by the folder it works in. end_workers ends those that
// work in a folder, and those whose folder inside of it was deleted. It gives 0
// when it ended one, 1 when there was none and 2 when one stays.
const stopFunction = programFunction + `
physical() (
	dir=$1 rest=
	until cd "${dir:-/}" 2>/dev/null; do
		rest=/${dir##*/}$rest
		dir=${dir%/*}
	done
	base=$(pwd -P)
	printf %s "${base%/}$rest"
)
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
	outcome=1
	for process in /proc/[0-9]*; do
		read -r name <"$process/comm" && [ "$name" = edgeplan-worker ] || continue
		cwd=$(readlink "$process/cwd")
		case $cwd in
		"$1" | "$1/"*" (deleted)") ;;
		*) continue ;;
		esac
		end_process "${process#/proc/}" "$cwd" || return 2
		outcome=0
	done 2>/dev/null
	return $outcome
}
stop_worker() {
	folder=$(physical "$1")
	[ -e "$folder/worker.lock" ] || return 0
	if program=$(usable_program "$folder" "$2"); then
		"$program" stop "$folder" || end_workers "$folder"
	else
		end_workers "$folder" || [ $? = 1 ]
	fi
}
`

// stop ends the worker of a release. That none runs, or that there is no such
// release, is no error.
func (s *site) stop(ctx context.Context, deployment, id string) error {
	if _, err := s.script(ctx, "stop the worker", stopFunction+`stop_worker "$1" "$2"`, s.release(deployment, id), s.program); err != nil {
		return fmt.Errorf("stop release %s: %w", id, err)
	}
	return nil
}

// stopOthers ends the workers of all releases of a deployment but one; "" is
// none. It ends those whose release folder was deleted as well.
func (s *site) stopOthers(ctx context.Context, deployment, keep string) error {
	const script = stopFunction + `
failed=0
for release in "$1"/*; do
	[ "$release" = "$1/$2" ] || stop_worker "$release" "$3" || failed=1
done
end_workers "$(physical "$1")" || [ $? = 1 ] || failed=1
exit $failed
`
	_, err := s.script(ctx, "stop old workers", script, path.Join(s.deployment(deployment), releasesDir), keep, s.program)
	return err
}
