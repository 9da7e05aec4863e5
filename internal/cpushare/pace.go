package cpushare

import (
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Pace holds devices to a steady speed on a machine that has none: a processor of a virtual
// machine does in a second what its host's other guests leave it, and that moves by a third within
// seconds, where a device of its own would not. Somebody times a reference on every processor, all
// the time, and a device's share of the processor grows as the reference takes longer. So a device
// does in a second what its share did when the reference took its nominal time.
type Pace struct {
	limits *Limits

	mu         sync.Mutex
	nominal    float64     // seconds of the reference
	recent     []float64   // seconds of it on each processor, of late; 0 is not known yet
	heard, sum []float64   // number and seconds of all its runs on each processor
	written    []time.Time // when shares were last written, on each processor
	devices    []paced
}

// paced is a device.
type paced struct {
	group     string
	share     float64 // of a core, while the reference takes its nominal time
	processor int
	factor    float64 // of the share, as last written
}

const (
	// forget is the weight of the last run of the reference in what it takes of late.
	forget = 0.3
	// Each time that a quota is written the kernel begins a new period, and with that grants up to
	// a period's quota and a tick more than it should. So shares are written no more often than
	// writeEvery, and where they change by leastChange.
	writeEvery, leastChange = 2 * time.Second, 0.02
	// mostPace bounds by what factor a share grows or shrinks: beyond, devices of one processor
	// do not get what they are granted.
	mostPace = 1.4
)

// NewPace is of a machine's processors, with the seconds that the reference takes nominally.
func NewPace(limits *Limits, processors int, nominal float64) *Pace {
	return &Pace{limits: limits, nominal: nominal, recent: make([]float64, processors),
		heard: make([]float64, processors), sum: make([]float64, processors), written: make([]time.Time, processors)}
}

// Device makes a group with a share of a core, as Limits.Device does, that is held to its speed.
func (p *Pace) Device(share float64) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	group, err := p.limits.Device(share)
	if err == nil && group != "" {
		p.devices = append(p.devices, paced{group: group, share: share, processor: processorOf(group), factor: 1})
	}
	return group, err
}

// Heard takes in what the reference took on a processor, in its own seconds, and gives the
// processor's devices their shares where it is time to.
func (p *Pace) Heard(processor int, seconds float64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[processor]++
	p.sum[processor] += seconds
	if p.recent[processor] == 0 {
		p.recent[processor] = seconds
	}
	p.recent[processor] += forget * (seconds - p.recent[processor])
	if time.Since(p.written[processor]) < writeEvery {
		return nil
	}
	p.written[processor] = time.Now()
	return p.grant(processor, min(max(p.recent[processor]/p.nominal, 1/mostPace), mostPace))
}

// grant multiplies the shares of a processor's devices.
func (p *Pace) grant(processor int, factor float64) error {
	for i, d := range p.devices {
		if d.processor != processor || math.Abs(factor/d.factor-1) < leastChange {
			continue
		}
		if err := p.limits.write(d.group, p.limits.quotaFile(), strconv.Itoa(int(math.Round(factor*d.share*Period)))); err != nil {
			return err
		}
		p.devices[i].factor = factor
	}
	return nil
}

// Clock is where the counts of the reference stand.
type Clock struct{ heard, sum []float64 }

// Clock reads the counts.
func (p *Pace) Clock() Clock {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Clock{slices.Clone(p.heard), slices.Clone(p.sum)}
}

// Factor is by what shares of a processor grew since then, on average.
func (p *Pace) Factor(processor int, since Clock) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (p.sum[processor] - since.sum[processor]) / max(1, p.heard[processor]-since.heard[processor]) / p.nominal
}
