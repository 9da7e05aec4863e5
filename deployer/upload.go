package deployer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// claim says on a device which blobs a release will refer to, before they are
// looked for and uploaded: another state that cleans the device leaves them.
func (s *site) claim(ctx context.Context, deployment, id string, blobs []statefile.Blob) error {
	sums := bundle{blobs: blobs}.sums()
	there, _, err := s.readSmall(ctx, path.Join(s.release(deployment, id), sumsFile))
	if err != nil || bytes.Equal(there, sums) {
		return err
	}
	dir := s.release(deployment, id+unfinished)
	if _, err := s.script(ctx, "make the release folder", `umask 077; mkdir -p "$1"`, dir); err != nil {
		return err
	}
	return s.writeSmall(ctx, dir, sumsFile, sums)
}

// How much is done at once on one device beside moving Options.Files files.
const (
	settleAtOnce = 4  // hashing reads what was written
	renameAtOnce = 64 // each waits for one answer
)

// upload puts blobs on a device. Each goes to a temporary name, is hashed over
// there, and gets its own name only when the digest is right. While one is hashed
// the next ones travel.
func (s *site) upload(ctx context.Context, source plan.BlobSource, blobs []statefile.Blob) error {
	if len(blobs) == 0 {
		return nil
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	u := &uploading{site: s, ctx: ctx, source: source, total: totalBytes(blobs),
		told: map[string]int64{}, sending: make(chan struct{}, s.o.Files), settling: make(chan struct{}, settleAtOnce), receivers: newReceivers()}
	defer u.tellNoMore()
	there, err := u.prepare(ctx, blobs)
	if err != nil {
		return err
	}
	s.emitUpload(fmt.Sprintf("uploading %s, %s", count(len(blobs), "file"), byteCount(u.total)), 0, u.total)
	if err := u.all(ctx, parcels(s, blobs, there)); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if sent := u.wire.Load(); sent < u.total-u.total/100 {
		s.emit("upload", "%s went as %s", byteCount(u.total), byteCount(sent))
	}
	return nil
}

// prepare makes the device ready, all at once: each step costs round trips. A worker program
// that is tried is to receive files as well.
func (u *uploading) prepare(ctx context.Context, blobs []statefile.Blob) (there found, err error) {
	var beside sync.WaitGroup
	program := u.helperProgram()
	if untried := u.takeUntried(); untried != nil {
		program = u.blob(untried.Digest)
		beside.Go(func() { u.employ(ctx, *untried) })
	}
	if program != "" {
		beside.Go(func() {
			if r, _ := u.openReceiver(ctx, program); r != nil { // else SFTP does it
				u.receivers.push(r)
			}
		})
	}
	there, err = u.openBlobs(ctx, blobs)
	beside.Wait()
	return there, err
}

// emitUpload tells of bytes of content, which are those of the plan.
func (s *site) emitUpload(message string, done, total int64) {
	s.o.emit(Event{Node: s.name, Kind: "upload", Message: message, Bytes: done, Total: total})
}

// uploading is one call of upload.
type uploading struct {
	*site
	ctx          context.Context // of the whole
	source       plan.BlobSource
	total        int64            // bytes of content
	telling      sync.Mutex       // held while progress is told, which must not go back
	done         int64            // bytes of content, of the total
	told         map[string]int64 // those of each parcel
	over         bool             // nothing more is told
	wire         atomic.Int64     // bytes of files that were sent
	ahead        string           // name of the parcel that goes first; "" is none
	measuredLine chan struct{}    // closed when it has been sent

	sending, settling chan struct{}
	receivers         *receivers
}

// progressOf tells of more bytes of the content of a parcel, in the order in which they are counted.
// Of what is sent again is told once.
func (u *uploading) progressOf(p parcel) func(int64) {
	var sent int64
	return func(n int64) {
		u.telling.Lock()
		defer u.telling.Unlock()
		sent += n
		more := sent - u.told[p.name]
		if more <= 0 || u.over {
			return
		}
		u.told[p.name] = sent
		u.done += more
		u.emitUpload("", u.done, u.total)
	}
}

// tellNoMore ends progress: on a dead line something may read a file of this machine still.
func (u *uploading) tellNoMore() {
	u.telling.Lock()
	defer u.telling.Unlock()
	u.over = true
}

// all brings every parcel: the worker program, which hashes the others there, then big ones
// first, since the last to end should be a small one.
func (u *uploading) all(ctx context.Context, list []parcel) error {
	slices.SortStableFunc(list, func(a, b parcel) int { return -cmp.Compare(a.rank(), b.rank()) })
	u.ahead, u.measuredLine = u.scout(list), make(chan struct{})
	byName := map[string]parcel{}
	var order []string
	for _, p := range list {
		byName[p.name], order = p, append(order, p.name)
	}
	err := eachOrNone(ctx, order, len(order), func(ctx context.Context, name string) error {
		return u.bring(ctx, byName[name])
	})
	if err != nil {
		u.abandon(ctx, list)
	}
	return err
}

// bring sends one parcel, hashes what arrived and puts it in place.
func (u *uploading) bring(ctx context.Context, p parcel) error {
	sums, err := u.sent(ctx, p)
	if ended := (*receiverEndedError)(nil); errors.As(err, &ended) {
		sums, err = u.sentAgain(ctx, p, ended)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.title(), u.explainWrite(ctx, err, p.content()))
	}
	if err := compare(p, sums); err != nil {
		return err
	}
	return u.place(ctx, p)
}

// sent sends one parcel and gives the digests of what arrived.
func (u *uploading) sent(ctx context.Context, p parcel) (map[string]string, error) {
	if err := u.takeTurn(ctx, p); err != nil {
		return nil, err
	}
	arrived, err := u.send(ctx, p)
	<-u.sending
	if p.name == u.ahead {
		close(u.measuredLine)
	}
	if err != nil {
		return nil, err
	}
	return arrived(ctx)
}

// takeTurn waits until a parcel may be sent.
func (u *uploading) takeTurn(ctx context.Context, p parcel) error {
	if u.ahead != "" && p.name != u.ahead {
		select {
		case <-u.measuredLine:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return take(ctx, u.sending)
}

// take waits for a free place.
func take(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
