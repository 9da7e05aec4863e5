package deployer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/worker"
)

// receiverEndedError says that a receiver ended for a reason that SFTP may not have: the system
// killed it, it crashed, or a file was held by a receiver of a run that is gone.
type receiverEndedError struct {
	cause error
	held  string // standard error, where a file was held
}

func (e *receiverEndedError) Error() string { return e.cause.Error() }

func (e *receiverEndedError) Unwrap() error { return e.cause }

// without makes a receiverEndedError of why a receiver ended, if it is one. A program that tells
// why it failed is believed: a disk that has lost something might not say so twice.
func without(err error) error {
	var command *CommandError
	if !errors.As(err, &command) {
		return err
	}
	if strings.Contains(command.Stderr, worker.ErrIncomingHeld.Error()) {
		return &receiverEndedError{err, command.Stderr}
	}
	if command.Status == exitFailed {
		return err
	}
	return &receiverEndedError{cause: err}
}

// exitFailed is the exit code of a worker program that tells what failed.
const exitFailed = 1

// sentAgain sends a parcel by SFTP, once, after a receiver has ended.
func (u *uploading) sentAgain(ctx context.Context, p parcel, ended *receiverEndedError) (map[string]string, error) {
	if ended.held == "" && u.receivers.refuse(u.helperProgram()) {
		u.emit("warning", "files go by SFTP from here on, which is slower: %s", oneLine(ended.Error()))
	}
	p, err := u.again(ctx, p, ended)
	if err != nil {
		return nil, fmt.Errorf("%w (it was to be sent again, since: %w)", err, ended.cause)
	}
	return u.sent(ctx, p)
}

// again is a parcel that goes on by SFTP behind what is there. A file that another process holds
// is left to that one, and begun anew.
func (u *uploading) again(ctx context.Context, p parcel, ended *receiverEndedError) (parcel, error) {
	p.again, p.found, p.part = true, plain, 0
	switch {
	case p.packed(): // the archive has another name
		return p, nil
	case strings.Contains(ended.held, p.name):
		u.emit("warning", "%s is sent anew: a run that was broken off still writes what it had sent of it", blobName(p.blobs[0]))
		return p, u.remove(ctx, u.blob(p.name))
	}
	err := u.files(ctx, func(c *sftp.Client) error {
		info, err := c.Stat(u.blob(p.name))
		if err == nil {
			p.part = info.Size()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return p, err
}
