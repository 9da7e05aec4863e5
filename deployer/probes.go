package deployer

import (
	"context"
	"errors"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// ProbeNode is a device to measure, and the worker program that measures it.
type ProbeNode struct {
	Node    statefile.Node
	Program statefile.Blob
}

// Probes are devices that are being measured: each is held by a lease, has the worker
// program among its blobs, and runs its probe for as long as the connection lasts.
// Nothing else of what is deployed there is touched. Methods may be called at once.
type Probes struct {
	o       Options
	devices map[string]*probed
	failed  map[string]error
	leases  sync.WaitGroup
	stop    context.CancelFunc
}

// probed is one device.
type probed struct {
	*site
	program statefile.Blob
	held    context.Context // ends with its lease

	sessions sync.Mutex
	session  *probeSession // nil before, and once it was lost
}

// OpenProbes connects to devices, takes their leases and brings the worker there. What
// fails on one leaves it out, and Failed has why.
func OpenProbes(ctx context.Context, nodes map[string]ProbeNode, source plan.BlobSource, lineage string, o Options) *Probes {
	leases, stop := context.WithCancel(ctx)
	p := &Probes{o: o.withDefaults(), devices: map[string]*probed{}, failed: map[string]error{}, stop: stop}
	var mu sync.Mutex
	_ = each(sortedKeys(nodes), p.o.Devices, func(name string) error {
		d := newDevice(name, nodes[name].Node, p.o)
		found, err := p.open(ctx, leases, d, nodes[name].Program, source, lineage)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			p.failed[name] = d.failed(err)
			d.close()
			return nil
		}
		p.devices[name] = found
		return nil
	})
	return p
}

// Failed are the devices that cannot be measured, with the reasons.
func (p *Probes) Failed() map[string]error { return p.failed }

func (p *Probes) open(ctx, leases context.Context, d *device, program statefile.Blob, source plan.BlobSource, lineage string) (*probed, error) {
	d.emit("connect", "connecting to %s", address(d.node.SSH))
	s, err := siteOf(ctx, d, d.node.Path, lineage)
	if err != nil {
		return nil, err
	}
	missing, err := admitProbe(ctx, s, program)
	if err != nil {
		return nil, err
	}
	if err := s.awaitLease(ctx); err != nil {
		return nil, err
	}
	found := &probed{site: s, program: program}
	held, lost := context.WithCancelCause(leases)
	found.held = held
	p.leases.Go(func() { found.keepLease(held, lost) })
	if err := s.upload(ctx, source, missing); err != nil {
		lost(nil)
		s.dropLease(context.WithoutCancel(ctx))
		return nil, err
	}
	return found, nil
}

// admitProbe looks whether the worker can come and run there, and what of it is missing.
func admitProbe(ctx context.Context, s *site, program statefile.Blob) ([]statefile.Blob, error) {
	found, err := lookAt(ctx, s)
	if err != nil {
		return nil, err
	}
	missing, err := s.missing(ctx, []statefile.Blob{program})
	if err != nil {
		return nil, err
	}
	return missing, errors.Join(found.check(s.node), s.checkMounts(ctx, found.existing),
		checkSpace(ctx, s, found.existing, totalBytes(missing)))
}

// Close ends the probes and gives the leases back. What was uploaded stays among the
// blobs: an apply finds it there, and removes what no release needs.
func (p *Probes) Close(ctx context.Context) {
	p.stop()
	p.leases.Wait()
	_ = each(sortedKeys(p.devices), p.o.Devices, func(name string) error {
		d := p.devices[name]
		d.endSession()
		d.dropLease(context.WithoutCancel(ctx))
		d.close()
		return nil
	})
}

// Upload brings blobs to a device that lacks them, if there is room for them.
func (p *Probes) Upload(ctx context.Context, name string, source plan.BlobSource, blobs []statefile.Blob) error {
	d, err := p.probed(name)
	if err != nil {
		return err
	}
	missing, err := d.missing(ctx, blobs)
	if err == nil {
		err = checkSpace(ctx, d.site, d.root, totalBytes(missing)+probeSlack)
	}
	if err == nil && len(missing) > 0 {
		err = d.upload(ctx, source, missing)
	}
	return d.failed(err)
}

// probeSlack is what a probe leaves free on a disk.
const probeSlack = 32 << 20
