package deployer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// flushingFunction defines `flushing COMMAND...`, which runs a command that flushes files and
// prints "flushing" now and then while the system writes (nr_written in proc(5), /proc/vmstat).
// Sleep would keep standard output open.
const flushingFunction = `
flushing() {
	(
		written() { sed -n 's/^nr_written //p' /proc/vmstat; }
		before=$(written)
		while sleep 5 >/dev/null && kill -0 $$; do
			now=$(written)
			[ "$now" = "$before" ] || echo ` + worker.ReceiveFlushing + `
			before=$now
		done
	) 2>/dev/null &
	teller=$!
	"$@"
	flushed=$?
	kill $teller 2>/dev/null
	return $flushed
}
`

// flushLimit is how long a device may flush where that only says that it does.
const flushLimit = 10 * time.Minute

// runFlushing is runFor for a script with flushingFunction, which gets its time again while it
// says that the device writes: many devices may be on one slow disk.
func (d *device) runFlushing(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	l, err := d.connected(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := time.Now()
	silence := time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("`%s` took %s, and said nothing for the last %s of it", shown(args), time.Since(begun).Round(time.Second), limit))
	})
	defer silence.Stop()
	out, err := l.runTold(ctx, nil, func() {
		if time.Since(begun) < d.o.flushLimit {
			silence.Reset(limit)
		}
	}, args...)
	return strings.ReplaceAll(out, worker.ReceiveFlushing+"\n", ""), err
}
