package deployer

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/edgeplan/edgeplan/worker"
)

// The gateway's switch decides which release serves, and the other devices follow
// it. A device that loses its power in between cannot know. So before the gateway
// switches every device is promised the new release: it is written to the disk, with
// a link beside that of the current one. From then on a device comes back with
// whichever of the two its neighbours call for.

// promiseScript promises the release that $2 names to the deployment $1, and flushes
// what that needs: the release, the links, and the key beside the deployment. Not all
// of the disk: what others write there may take minutes. What starts a release after a
// reboot the worker has flushed when it wrote it.
const promiseScript = flushingFunction + `
flush() { find "$1" -type f -exec sync {} + && sync "$1" "${1%/*}" . .. || sync; }
cd "$1" && ln -sfn "$2" "$3" && flushing flush "$2" 2>/dev/null
`

// promise makes all devices ready for the switch.
func (t *transition) promise(ctx context.Context) error {
	t.promised = true
	return eachOrNone(ctx, t.nodes, t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		limit := s.o.AnswerTimeout + secondsFor(totalBytes(t.bundles[node].blobs)) // it may take that to flush them
		_, err := s.runFlushing(ctx, limit, "sh", "-c", promiseScript, "get ready to switch",
			s.deployment(t.folder), path.Join(releasesDir, t.To.Release), worker.PromisedLink)
		return s.failed(err)
	})
}

// takeBack ends the promise on the devices that can be reached.
func (t *transition) takeBack(ctx context.Context) error {
	if !t.promised {
		return nil
	}
	return each(t.nodes, t.o.Devices, func(node string) error {
		s := t.sites[node]
		return s.failed(s.remove(ctx, s.promised(t.folder)))
	})
}

func (s *site) promised(deployment string) string {
	return path.Join(s.deployment(deployment), worker.PromisedLink)
}

// isPromised says whether a switch was begun and not finished.
func (s *site) isPromised(ctx context.Context, deployment string) (bool, error) {
	return s.exists(ctx, s.promised(deployment))
}

// errInDoubt is that nobody can say whether the gateway has switched. Both releases
// have to go on then.
var errInDoubt = errors.New("it is not known whether the gateway has switched; the next apply finds out")

// switchGateway is the commit. Where its answer is lost the device is asked; where
// that cannot be reached any more either, the error is errInDoubt.
func (t *transition) switchGateway(ctx context.Context) error {
	s := t.sites[t.To.Gateway]
	s.emit("switch", "switching %s to release %s", t.Model, t.To.Release)
	err := s.switchTo(ctx, t.folder, t.To.Release)
	if err == nil {
		return nil
	}
	current, readErr := s.currentRelease(ctx, t.folder)
	switch {
	case readErr == nil && current == t.To.Release: // on a repair that proves nothing, and nothing hangs on it
		return nil
	case readErr != nil && !errors.Is(readErr, errNoLink) && !t.repairs():
		return s.failed(fmt.Errorf("%w: %w", err, errInDoubt))
	}
	return s.failed(err)
}
