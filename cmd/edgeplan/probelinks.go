package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

// testLinks tests directions in rounds, in which no device is in two tests.
func (p *probing) testLinks(ctx context.Context, wanted map[direction]string) {
	rounds := linkRounds(wanted)
	p.progress.begin("direction", len(wanted))
	for _, round := range rounds {
		if ctx.Err() != nil {
			return
		}
		var tests sync.WaitGroup
		for _, ways := range round {
			tests.Go(func() { p.testPair(ctx, ways) })
		}
		tests.Wait()
	}
}

// testPair tests both ways between two devices, one after the other.
func (p *probing) testPair(ctx context.Context, ways []direction) {
	for _, d := range ways {
		if err := p.testLink(ctx, d); err != nil && ctx.Err() == nil {
			p.fail(err)
			p.progress.step("%s -> %s: not measured", d.from, d.to)
		}
	}
}

// testLink tests one direction. That it does not work is a result too, with a bandwidth
// of 0.
func (p *probing) testLink(ctx context.Context, d direction) error {
	beside := p.beside(ctx, d)
	result, err := p.linkTwice(ctx, d)
	if err == nil {
		result, err = addBeside(result, d, beside(ctx))
	}
	var unreachable *deployer.UnreachableLinkError
	if errors.As(err, &unreachable) && !unreachable.Elsewhere && ctx.Err() == nil {
		p.warn("%v. A firewall, a router between them, or pipeline_address of %s may be why; plans send nothing that way. Once it is mended: edgeplan probe -again -only links -only %s",
			unreachable, d.to, shellWord(d.to))
	} else if err != nil {
		return err
	}
	l := measurement.Link{From: d.from, To: d.to, BandwidthBytesPerSecond: result.BytesPerSecond, RoundTripSeconds: result.RoundTripSeconds,
		Spread: result.Spread, MeasuredAt: p.now()}
	if err := p.recordLink(l); err != nil {
		return err
	}
	p.progress.step("%s -> %s: %s", d.from, d.to, linkText(l))
	return nil
}

// beside gives what workers send over a direction from now until it is asked, in bytes per
// second: the link carries that as well as the test. It is 0 where nobody counts it.
func (p *probing) beside(ctx context.Context, d direction) func(context.Context) float64 {
	if p.sent == nil {
		return func(context.Context) float64 { return 0 }
	}
	before, known := p.sent(ctx, d)
	begun := time.Now()
	return func(ctx context.Context) float64 {
		after, still := p.sent(ctx, d)
		if !known || !still || after < before { // a worker was started again
			return 0
		}
		return (after - before) / time.Since(begun).Seconds()
	}
}

// addBeside adds what a device says that its workers sent during a test. It is the device's
// word, and not what a test has shown.
func addBeside(result probe.LinkResult, d direction, more float64) (probe.LinkResult, error) {
	result.BytesPerSecond += more
	if err := result.Check(); err != nil {
		return probe.LinkResult{}, fmt.Errorf("%s -> %s is not measured: %s counts %g bytes/s that its workers sent that way during the test, which no link carries; look at the metrics of that device, and run `edgeplan apply -exclude %s` where it is not to be trusted",
			d.from, d.to, d.from, more, shellWord(d.from))
	}
	return result, nil
}

// linkTwice tests a direction once more where it fails: a radio may have been away for a
// moment.
func (p *probing) linkTwice(ctx context.Context, d direction) (result probe.LinkResult, err error) {
	for range 2 {
		result, err = p.probes.Link(ctx, d.from, d.to, p.limits, p.nodes[d.to].PipelinePort)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return result, err
}

// linkText is as "94.1 Mbps ± 1.2%, round trip 0.4 ms".
func linkText(l measurement.Link) string {
	if l.BandwidthBytesPerSecond == 0 {
		return "does not connect"
	}
	return quantity.FormatBandwidth(l.BandwidthBytesPerSecond) + " ± " + quantity.FormatPercent(l.Spread) +
		", round trip " + quantity.FormatSeconds(l.RoundTripSeconds)
}
