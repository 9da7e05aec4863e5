package deployer

import (
	"context"
	"sync"
	"time"
)

// Options say how devices are reached. The zero value is fit for use.
type Options struct {
	// Progress is told of every step, one call at a time.
	Progress func(Event)

	// Connections to share with other calls; nil shares them within one call only.
	Connections *Connections
	// Passphrase asks a person for a passphrase; nil where nobody can be asked.
	Passphrase func(ctx context.Context, question string) (string, error)

	DialTimeout      time.Duration // of one TCP connection, unless ssh_config says; default 10 s
	HandshakeTimeout time.Duration // of one SSH handshake with authentication; default 15 s
	Attempts         uint          // to connect to a device; default 3
	// KeepaliveInterval is how often an idle connection is tried, and
	// KeepaliveGrace how long it may be silent then; defaults 5 s and 15 s.
	KeepaliveInterval, KeepaliveGrace time.Duration
	AnswerTimeout                     time.Duration // of a short command or file operation; default 30 s
	StartTimeout                      time.Duration // until a worker is ready; default 2 min
	ProbeTimeout                      time.Duration // of the inference that checks a pipeline; default 1 min

	Devices int // worked on at once; default 32
	Files   int // moved at once to one device; default 8

	// HashAll lets Refresh hash every file of the deployed releases on the devices, not
	// only those that seem to have changed.
	HashAll bool

	Holder    Holder        // for whom leases of devices are taken
	LeaseTime time.Duration // how long a lease lasts unless it is renewed; default 2 min
	LeaseWait time.Duration // how long to wait for somebody else's; default not at all

	probe          prober        // replaced by tests
	clock          string        // folder where the device's kernel tells the time; replaced by tests
	withoutLease   bool          // for tests of what happens when a lease was lost unnoticed
	passSilence    time.Duration // of devices of which one gives the other something; replaced by tests
	receiveSilence time.Duration // of a device that receives files; replaced by tests
	flushLimit     time.Duration // of a device that says that it flushes; replaced by tests
	log            *sync.Mutex

	compressor *compressor
}

// Event is one step on one device.
type Event struct {
	Node string
	Kind string // connect, lease, upload, release, start, probe, switch, stop, clean
	From string // the node that gives what is moved; "" is the operator's machine
	// Bytes moved so far of Total; 0 where the step moves none.
	Bytes, Total int64
	Message      string // one line; "" when only Bytes changed
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	setDefault(&o.DialTimeout, 10*time.Second)
	setDefault(&o.HandshakeTimeout, 15*time.Second)
	setDefault(&o.Attempts, 3)
	setDefault(&o.KeepaliveInterval, 5*time.Second)
	setDefault(&o.KeepaliveGrace, 15*time.Second)
	setDefault(&o.AnswerTimeout, 30*time.Second)
	setDefault(&o.passSilence, o.AnswerTimeout)
	setDefault(&o.receiveSilence, o.AnswerTimeout)
	setDefault(&o.flushLimit, flushLimit)
	setDefault(&o.StartTimeout, 2*time.Minute)
	setDefault(&o.ProbeTimeout, time.Minute)
	setDefault(&o.LeaseTime, leaseTime)
	setDefault(&o.clock, procDir)
	setDefault(&o.Devices, 32)
	setDefault(&o.Files, 8)
	if o.Connections == nil {
		o.Connections = newConnections(false)
	}
	if o.probe == nil {
		o.probe = inferZeros
	}
	if o.log == nil {
		o.log = new(sync.Mutex)
	}
	if o.compressor == nil {
		o.compressor = &compressor{done: map[string][]byte{}}
	}
	return o
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// emit tells of an event.
func (o Options) emit(e Event) {
	if o.Progress == nil {
		return
	}
	o.log.Lock()
	defer o.log.Unlock()
	o.Progress(e)
}
