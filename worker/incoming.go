package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Incoming is a file that is sent to Receive.
type Incoming struct {
	Name    string // begins with TemporaryPrefix
	Offset  int64  // bytes that are there and stay; with 0 the file is new, with others what is behind goes
	Size    int64  // bytes of the whole
	Program bool   // it can be executed
}

// TemporaryPrefix begins the names of files that are not in their place yet. Receive writes no other.
const TemporaryPrefix = ".tmp-"

// maxIncoming bounds the length of a line: some file systems take names of 255 bytes.
const maxIncoming = 400

var incomingName = regexp.MustCompile(`^\.tmp-[0-9A-Za-z._-]{1,200}$`)

// The modes of files that Receive writes, which blobs have however they come.
const (
	DataMode    fs.FileMode = 0o600
	ProgramMode fs.FileMode = 0o700
)

// Line is what is sent before the file.
func (f Incoming) Line() string {
	return fmt.Sprintf("%d %d %o %s\n", f.Offset, f.Size, f.Mode(), f.Name)
}

// Mode is that of the file.
func (f Incoming) Mode() fs.FileMode {
	if f.Program {
		return ProgramMode
	}
	return DataMode
}

// readIncoming reads the line before a file; io.EOF is the end of the input.
func readIncoming(in *bufio.Reader) (Incoming, error) {
	line, err := readLine(in)
	if err != nil {
		return Incoming{}, err
	}
	fields := strings.Split(line, " ")
	if len(fields) != 4 {
		return Incoming{}, fmt.Errorf("%q is no line of a file", line)
	}
	file := Incoming{Name: fields[3], Program: fields[2] == fmt.Sprintf("%o", ProgramMode)}
	var bad [2]error
	file.Offset, bad[0] = strconv.ParseInt(fields[0], 10, 64)
	file.Size, bad[1] = strconv.ParseInt(fields[1], 10, 64)
	switch {
	case errors.Join(bad[:]...) != nil, file.Offset < 0, file.Size < file.Offset:
		return Incoming{}, fmt.Errorf("%q has no offset and size of a file", line)
	case fields[2] != fmt.Sprintf("%o", file.Mode()):
		return Incoming{}, fmt.Errorf("%q is no mode of a file", fields[2])
	case !incomingName.MatchString(file.Name):
		return Incoming{}, fmt.Errorf("%q cannot be the name of a file that comes in", file.Name)
	}
	return file, nil
}

// readLine reads a line of bounded length.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxIncoming {
		c, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case c == '\n':
			return string(line), nil
		}
		line = append(line, c)
	}
	return "", fmt.Errorf("%q… is no line of a file", line[:60])
}

// ErrIncomingHeld is wrapped by Receive where another process still writes a file: what it was sent
// by an operator that is gone. It would cut the file off under the one who goes on in it.
var ErrIncomingHeld = errors.New("another run still writes it")

// openIncoming opens a file in a folder, whatever the folder's name leads to by now, and behind no
// link. It is locked while it is open.
func openIncoming(folder *os.File, file Incoming) (*os.File, error) {
	flags := unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if file.Offset == 0 {
		flags |= unix.O_CREAT | unix.O_EXCL
	}
	path := filepath.Join(folder.Name(), file.Name)
	fd, err := unix.Openat(int(folder.Fd()), file.Name, flags, uint32(DataMode))
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	info, err := f.Stat()
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file", path)
	case err == nil && errors.Is(unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK): // else: it cannot be locked
		err = fmt.Errorf("%s: %w", path, ErrIncomingHeld)
	case err == nil:
		err = f.Chmod(file.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
