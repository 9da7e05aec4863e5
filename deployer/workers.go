package deployer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// startGrace is what `start` may take beyond the time it was given.
const startGrace = 15 * time.Second

// publicKey makes the key of a device's worker when there is none, and gives
// its public part. program is any worker on the device.
func (s *site) publicKey(ctx context.Context, program string) (string, error) {
	out, err := s.run(ctx, program, "key", s.key())
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(out)
	if _, err := worker.ParsePublicKey(key); err != nil {
		return "", fmt.Errorf("the worker printed %q for its key: %w", out, err)
	}
	return key, nil
}

// start starts the worker of a release and waits until it is ready.
func (s *site) start(ctx context.Context, deployment, id string) error {
	dir := s.release(deployment, id)
	out, err := s.runFor(ctx, s.o.StartTimeout+startGrace, path.Join(dir, worker.ProgramFile),
		"start", "-key", s.key(), "-timeout", s.o.StartTimeout.String(), dir)
	var status worker.Status
	decodeErr := json.Unmarshal([]byte(out), &status)
	switch {
	case err != nil && status.Log != "":
		return fmt.Errorf("%w\nthe end of its log (%s):\n%s", err, path.Join(dir, worker.LogFile), indent(status.Log))
	case err != nil:
		return err
	case decodeErr != nil:
		return fmt.Errorf("the worker printed %q instead of its status: %w", out, decodeErr)
	case !status.Ready:
		return errors.New("the worker started and is not ready")
	}
	return nil
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// stopFunction ends the worker of the release folder $1 by its own program, or
// by one of the others where that is gone. Without any program, the lock names
// the process, which is ended when it works in that folder.
const stopFunction = `
stop_worker() {
	dir=$1; shift
	[ -e "$dir/worker.lock" ] || return 0
	for program in "$dir/edgeplan-worker" "$@"; do
		if [ -x "$program" ] && [ -f "$dir/manifest.json" ]; then
			"$program" stop "$dir"
			return
		fi
	done
	pid=$(cat "$dir/worker.lock") && [ "$(readlink "/proc/$pid/cwd")" = "$dir" ] || return 0
	kill "$pid"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 1
	done
	kill -KILL "$pid"
}
`

// stop ends the worker of a release. That none runs, or that there is no such
// release, is no error.
func (s *site) stop(ctx context.Context, deployment, id string) error {
	if _, err := s.script(ctx, "stop the worker", stopFunction+`stop_worker "$1"`, s.release(deployment, id)); err != nil {
		return fmt.Errorf("stop release %s: %w", id, err)
	}
	return nil
}

// stopOthers ends the workers of all releases of a deployment but one; "" is none.
func (s *site) stopOthers(ctx context.Context, deployment, keep string) error {
	const script = stopFunction + `
failed=0
for release in "$1"/*; do
	[ "$release" = "$1/$2" ] || stop_worker "$release" || failed=1
done
exit $failed
`
	_, err := s.script(ctx, "stop old workers", script, path.Join(s.deployment(deployment), releasesDir), keep)
	return err
}

// status asks for the worker of a release.
func (s *site) status(ctx context.Context, deployment, id string) (worker.Status, error) {
	dir := s.release(deployment, id)
	out, err := s.run(ctx, path.Join(dir, worker.ProgramFile), "status", dir)
	if err != nil {
		return worker.Status{}, err
	}
	var status worker.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return status, fmt.Errorf("the worker printed %q instead of its status: %w", out, err)
	}
	return status, nil
}
