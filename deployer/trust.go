package deployer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh/knownhosts"
)

// trust writes the key of a server that nothing is known of to known_hosts, so
// that it is known from then on.
func trust(unknown *UnknownHostKeyError, h hop, o Options) error {
	line := unknown.Line
	if h.hash {
		line = knownhosts.HashHostname(knownhosts.Normalize(h.knownAs())) + " " + unknown.Key
	}
	if err := appendLine(unknown.KnownHosts, line); err != nil {
		return fmt.Errorf("the host key of %s is new and cannot be written down: %w", unknown.Host, err)
	}
	o.emit(Event{Node: unknown.Host, Kind: "connect",
		Message: fmt.Sprintf("trusting its host key from now on: %s %s, written to %s", unknown.Type, unknown.Fingerprint, unknown.KnownHosts)})
	return nil
}

// appendLine adds a line to a file that others add to as well, ssh among them:
// with one write to its end, so that no line of theirs is lost and none is
// torn. When that fails, the file is as it was.
func appendLine(file, line string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, whole, err := endsWhole(f)
	if err != nil {
		return err
	}
	if size < 0 {
		return nil // such as /dev/null: nothing is to be remembered
	}
	if !whole {
		line = "\n" + line
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return f.Sync()
}

// endsWhole says whether the last line of a file has its end. The size of what is
// no file is negative.
func endsWhole(f *os.File) (size int64, whole bool, err error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return 0, false, err
	case !info.Mode().IsRegular():
		return -1, true, nil
	case info.Size() == 0:
		return 0, true, nil
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	return info.Size(), last[0] == '\n', nil
}
