package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// StartOptions of Start.
type StartOptions struct {
	// Program is the worker; empty is the running executable.
	Program string
	// Key is the file of the device's key; empty is KeyPath of the folder.
	Key string
	// Timeout is how long to wait until the worker is ready; 0 is 2 minutes,
	// which a board needs to read a few hundred megabytes from its card.
	Timeout time.Duration
}

const (
	startTimeout = 2 * time.Minute
	pollEvery    = 20 * time.Millisecond
	tailBytes    = 4 << 10
)

// Start runs the worker of a release folder under the supervision that the device
// has, and waits until it is ready. It outlives its parent and its session, is
// started again when it ends, and after a reboot where its release is then the
// current one. A worker that runs already is waited for in the same way. When it
// fails or takes too long it is stopped, and the status has the end of its log.
func Start(ctx context.Context, dir string, o StartOptions) (Status, error) {
	dir, err := realFolder(dir)
	if err != nil {
		return Status{}, err
	}
	m, err := ReadManifest(dir)
	if err != nil {
		return Status{}, err
	}
	way, err := chooseSupervision(ctx)
	if err != nil {
		return Status{}, err
	}
	if o.Timeout == 0 {
		o.Timeout = startTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("it was not ready within %v", o.Timeout))
	defer cancel()
	s := newStarter(dir, m, o, way)
	kept, err := isKept(dir, way)
	if err != nil {
		return Status{}, err
	}
	if kept {
		status, err := s.wait(ctx)
		if !errors.Is(err, errGone) {
			return status, err
		}
	}
	if err := Stop(ctx, dir); err != nil { // one that nothing keeps, or in another way
		return Status{}, err
	}
	return s.start(ctx)
}

// isKept says whether a worker runs in a release folder and is kept running in the
// given way. The two without systemd are one but for what happens after a reboot.
func isKept(dir string, way Supervision) (bool, error) {
	runs, err := locked(dir, LockFile)
	if !runs || err != nil {
		return false, err
	}
	if way == SystemUnit || way == UserUnit {
		return managerOf(way).has(dir) && readMark(dir).Supervision == way, nil
	}
	return locked(dir, SupervisorFile)
}

// errGone is returned by waitReady when a worker that another process started
// has ended.
var errGone = errors.New("the worker has ended")

// waitReady polls until the worker is ready, has exited, or ctx ends. Without
// exited the worker is not a child of this process.
func waitReady(ctx context.Context, dir string, exited <-chan error) (Status, error) {
	for {
		status, err := ReadStatus(dir)
		switch {
		case err == nil && status.Ready:
			return status, nil
		case err == nil && !status.Running && exited == nil:
			return status, errGone
		}
		select {
		case err := <-exited:
			return exitedEarly(dir, err)
		case <-ctx.Done():
			return Status{}, fmt.Errorf("the worker did not start: %w", context.Cause(ctx))
		case <-time.After(pollEvery):
		}
	}
}

// exitedEarly is an error, unless another process was faster to become the
// worker of the folder.
func exitedEarly(dir string, exit error) (Status, error) {
	if status, err := ReadStatus(dir); err == nil && status.Running {
		for range 50 {
			if status.Ready {
				return status, nil
			}
			time.Sleep(pollEvery)
			status, _ = ReadStatus(dir)
		}
	}
	if exit == nil {
		return Status{}, errors.New("the worker ended at once")
	}
	return Status{}, fmt.Errorf("the worker ended at once: %w%s", exit, killedHint(exit))
}

// killedHint says what most likely kills a worker that nobody has stopped.
func killedHint(exit error) string {
	var failed *exec.ExitError
	if !errors.As(exit, &failed) {
		return ""
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		return ""
	}
	return memoryHint
}

const memoryHint = "; most likely killed by the kernel, because memory ran out: the device's, or that of a control group (`dmesg` there tells)"

// openLog opens the log for appending and tells where it ends now.
func openLog(dir string) (*os.File, int64, error) {
	path := filepath.Join(dir, LogFile)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+oldLogSuffix); err != nil {
			return nil, 0, err
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, end, nil
}

// tail is the end of a file, from begin at most and in whole lines.
func tail(path string, begin int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	cut := info.Size()-tailBytes > begin
	data, err := io.ReadAll(io.NewSectionReader(f, max(begin, info.Size()-tailBytes), tailBytes))
	if err != nil {
		return ""
	}
	text := string(data)
	if _, rest, found := strings.Cut(text, "\n"); cut && found {
		text = rest
	}
	return strings.TrimSpace(text)
}

// realFolder is the folder that a path means now: `current` may move on.
func realFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}
