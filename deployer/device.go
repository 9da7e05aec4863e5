package deployer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/statefile"
)

// device is one node, connected when it is first needed, and again when the
// connection was lost in between: what has to be undone must reach the device.
type device struct {
	name string // node address
	node statefile.Node
	o    Options

	mu      sync.Mutex
	link    *link
	way     []hop     // by which it was last connected
	refused error     // the last attempt to connect
	at      time.Time // when that was
}

// notAgain is for how long a device that could not be reached counts as such:
// what has to be undone there is many small steps, and each would wait anew.
const notAgain = 20 * time.Second

// What connecting again may take: the device is known to answer faster, unless it is gone.
const (
	dialAgain      = 5 * time.Second
	handshakeAgain = 8 * time.Second
)

func newDevice(name string, node statefile.Node, o Options) *device {
	return &device{name: name, node: node, o: o}
}

// failed names the device in an error.
func (d *device) failed(err error) error {
	var named *DeviceError
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &DeviceError{d.name, err}
}

func (d *device) emit(kind, format string, args ...any) {
	d.o.emit(Event{Node: d.name, Kind: kind, Message: unbroken(fmt.Sprintf(format, args...))})
}

// connected gives the connection, made anew when there is none.
func (d *device) connected(ctx context.Context) (*link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil && d.link.lost() == nil {
		return d.link, nil
	}
	if d.refused != nil && time.Since(d.at) < notAgain {
		return nil, d.refused
	}
	o := d.o
	if d.way != nil { // it was connected before, and lost after some seconds of silence
		o.Attempts = 1
		o.DialTimeout, o.HandshakeTimeout = min(o.DialTimeout, dialAgain), min(o.HandshakeTimeout, handshakeAgain)
	}
	d.release()
	l, err := d.connect(ctx, o)
	if err != nil {
		if ctx.Err() == nil {
			d.refused, d.at = err, time.Now()
		}
		return nil, err
	}
	d.link, d.refused = l, nil
	return l, nil
}

// watch tells when a device is lost, until ctx ends: when its connection is, and
// there is no other to be had, or the device that is reached anew is not as it was.
func (d *device) watch(ctx context.Context, unchanged func() error, lost func(error)) {
	for again := false; ; again = true {
		l, err := d.connected(ctx)
		if err == nil && again {
			err = unchanged()
		}
		if err != nil {
			lost(err)
			return
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return
		}
	}
}

func (d *device) connect(ctx context.Context, o Options) (*link, error) {
	hops, err := hopsOf(d.node.SSH)
	if err != nil {
		return nil, err
	}
	l, err := o.Connections.acquire(ctx, hops, o)
	if err != nil {
		return nil, err
	}
	d.way = hops
	if d.node.SSH.User == "" {
		d.node.SSH.User = hops[len(hops)-1].user // for what is said of it
	}
	return l, nil
}

func (d *device) release() {
	if d.link != nil {
		d.o.Connections.release(d.way)
		d.link = nil
	}
}

func (d *device) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release()
}

// run executes a short command.
func (d *device) run(ctx context.Context, args ...string) (string, error) {
	return d.runFor(ctx, d.o.AnswerTimeout, args...)
}

// runFor executes a command that may take a while.
func (d *device) runFor(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	l, err := d.connected(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("`%s` took longer than %s", shown(args), limit))
	defer cancel()
	return l.run(ctx, nil, args...)
}

// script executes a shell script under a name that errors show.
func (d *device) script(ctx context.Context, name, text string, args ...string) (string, error) {
	return d.run(ctx, append([]string{"sh", "-c", text, name}, args...)...)
}

// files does something short over SFTP.
func (d *device) files(ctx context.Context, do func(*sftp.Client) error) error {
	return d.filesFor(ctx, d.o.AnswerTimeout, do)
}

// filesFor does something over SFTP. A device that is silent about it for longer
// than the limit is cut off, which ends what waits for it.
func (d *device) filesFor(ctx context.Context, limit time.Duration, do func(*sftp.Client) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	l, err := d.connected(ctx)
	if err != nil {
		return err
	}
	stop := l.watchSFTP(limit)
	defer stop()
	client, err := l.sftp()
	if err != nil {
		return l.why(err)
	}
	return l.why(do(client))
}

// site is edgeplan's folder on a device.
type site struct {
	*device
	root    string // absolute
	lineage string // of the state that is worked for
	runID   string // random: begins the names of this run's part files
	program string // a worker program on the device, for where a release's own is damaged; "" when none is known

	lease *heldLease // nil until it is taken

	mu       sync.Mutex
	verified map[string]bool // digests hashed on the device in this run
	helper   string          // see helperProgram
	untried  *statefile.Blob // see employHeld
	gzip     bool            // whether the device has it
	rate     float64         // of uploads, in bytes per second; 0 is not known yet
	uplink   float64         // of the line to all devices, as the plan says; 0 is not known
}

// siteOf finds the folder of a path that is absolute or relative to the home folder.
func siteOf(ctx context.Context, d *device, folder, lineage string) (*site, error) {
	var home string
	err := d.files(ctx, func(c *sftp.Client) (err error) {
		home, err = c.RealPath(".")
		return err
	})
	if err != nil {
		return nil, err
	}
	root, err := resolveRoot(home, folder)
	if err != nil {
		return nil, err
	}
	if err := d.refuseFile(ctx, root); err != nil {
		return nil, err
	}
	return &site{device: d, root: root, lineage: lineage, runID: randomHex(4), verified: map[string]bool{}}, nil
}

// refuseFile says when something else stands where edgeplan's folder belongs, or
// above it. What cannot be looked at is found by what comes next.
func (d *device) refuseFile(ctx context.Context, root string) error {
	return d.files(ctx, func(c *sftp.Client) error {
		for at := root; at != "/"; at = path.Dir(at) {
			if info, err := c.Stat(at); err == nil && info.IsDir() {
				return nil
			} else if err == nil {
				return noFolder(at)
			}
		}
		return nil
	})
}

func noFolder(file string) error {
	return problemf("path", "move it away, or set another `path`", "%s is a file, and edgeplan needs a folder there", file)
}

// resolveRoot refuses folders that cannot be edgeplan's alone.
func resolveRoot(home, folder string) (string, error) {
	root := path.Clean(strings.TrimPrefix(folder, "~/"))
	if !path.IsAbs(root) {
		root = path.Join(home, root)
	}
	if !path.IsAbs(home) || root == "/" || root == path.Clean(home) || folder == "" {
		return "", fmt.Errorf("path %q cannot be used: edgeplan needs a folder of its own, such as .edgeplan", folder)
	}
	return root, nil
}

func (s *site) markVerified(digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verified[digest] = true
}

func (s *site) isVerified(digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verified[digest]
}
