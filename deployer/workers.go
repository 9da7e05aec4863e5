package deployer

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// startGrace is what `start` may take beyond the time it was given.
const startGrace = 15 * time.Second

// publicKey makes the key of a device's worker when there is none, and gives
// its public part.
func (s *site) publicKey(ctx context.Context, program statefile.Blob, source plan.BlobSource) (string, error) {
	if err := s.mend(ctx, program, source); err != nil {
		return "", err
	}
	out, err := s.run(ctx, s.blob(program.Digest), "key", s.key())
	if err != nil {
		return "", err
	}
	return parseKey(out)
}

func parseKey(out string) (string, error) {
	key := strings.TrimSpace(out)
	if _, err := worker.ParsePublicKey(key); err != nil {
		return "", fmt.Errorf("the worker printed %q for its key: %w", out, err)
	}
	return key, nil
}

// keyProblem compares the key of a device's worker with the known public part,
// without making one, and gives another one that it found. It asks the program of a release.
func (s *site) keyProblem(ctx context.Context, dir, known string) (problem, key string, err error) {
	const script = programFunction + `
[ -e "$2" ] || { echo missing; exit; }
program=$(usable_program "$1" "$3") || { echo unknown; exit; }
"$program" key "$2" 2>&1 || :
`
	out, err := s.script(ctx, "look at the key", script, dir, s.key(), s.program)
	if err != nil {
		return "", "", err
	}
	switch key, err := parseKey(out); {
	case out == "missing\n":
		return worker.KeyFile + " is missing: its worker gets a new key", "", nil
	case out == "unknown\n":
		return "", "", nil // the program is found damaged in its own right
	case err != nil:
		return fmt.Sprintf("%s cannot be used: %s", worker.KeyFile, strings.TrimSpace(out)), "", nil
	case known != "" && key != known:
		return "key rotated: " + worker.KeyFile + " is another key", key, nil
	}
	return "", "", nil
}

// start starts the worker of a release and waits until it is ready. It gives its process.
func (s *site) start(ctx context.Context, deployment, id string) (pid int, err error) {
	dir := s.release(deployment, id)
	out, err := s.runFor(ctx, s.o.StartTimeout+startGrace, path.Join(dir, worker.ProgramFile),
		"start", "-key", s.key(), "-timeout", s.o.StartTimeout.String(), dir)
	var status worker.Status
	decodeErr := json.Unmarshal([]byte(out), &status)
	if err != nil {
		err = s.explainFailed(ctx, s.root, err)
	}
	switch {
	case err != nil && status.Log != "":
		return 0, fmt.Errorf("%w%s\nthe end of its log (%s):\n%s", err, portHint(status.Log), path.Join(dir, worker.LogFile), indent(status.Log))
	case err != nil:
		return 0, err
	case decodeErr != nil:
		return 0, fmt.Errorf("the worker printed %q instead of its status: %w", out, decodeErr)
	case !status.Ready:
		return 0, s.endedWorker(ctx, dir, "as soon as it was ready")
	}
	for _, warning := range status.Warnings {
		s.emit("warning", "%s", warning)
	}
	return status.PID, nil
}

// portHint says what to do when another program has the port.
func portHint(log string) string {
	if !strings.Contains(log, "address already in use") {
		return ""
	}
	return "\nanother program on the device has that port: end it, or set `pipeline_port` of the node to a free one"
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// status asks for the worker of a release: by its own program or, where that is
// damaged, by another blob; "" is none.
func (s *site) status(ctx context.Context, deployment, id, program string) (worker.Status, error) {
	const script = programFunction + `
program=$(usable_program "$1" "$2") || { echo "its program is damaged" >&2; exit 1; }
"$program" status "$1"
`
	out, err := s.script(ctx, "status", script, s.release(deployment, id), program)
	if err != nil {
		return worker.Status{}, err
	}
	var status worker.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return status, fmt.Errorf("the worker printed %q instead of its status: %w", out, err)
	}
	return status, nil
}
