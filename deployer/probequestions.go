package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// How long a device may take for an answer, beside what it is asked to measure.
const (
	clockQuestions = 5
	linkSlack      = 30 * time.Second
	engineTimeout  = 6 * time.Minute
)

// errNoAnswer is an answer without what was asked for.
var errNoAnswer = errors.New("the device's probe answered without what was asked for")

// probed gives a device that is measured.
func (p *Probes) probed(name string) (*probed, error) {
	if d, ok := p.devices[name]; ok {
		return d, nil
	}
	if err := p.failed[name]; err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s is not being measured", name)
}

// Facts asks what a device is and has, and how far its clock is ahead of this
// machine's. With wire it also measures what bytes cost there.
func (p *Probes) Facts(ctx context.Context, name string, wire bool) (probe.Facts, time.Duration, error) {
	d, err := p.probed(name)
	if err != nil {
		return probe.Facts{}, 0, err
	}
	answer, err := d.ask(ctx, d.o.AnswerTimeout, probe.Request{Facts: &probe.FactsRequest{Wire: wire}})
	if err != nil {
		return probe.Facts{}, 0, err
	}
	if answer.Facts == nil {
		return probe.Facts{}, 0, d.failed(errNoAnswer)
	}
	offset, err := d.clockOffset(ctx)
	return answer.Facts.Credible(), offset, err
}

// clockOffset takes the quickest of some answers, in whose middle the clock is taken
// to have been read (as SNTP does, RFC 4330 section 5).
func (d *probed) clockOffset(ctx context.Context) (offset time.Duration, err error) {
	quickest := time.Duration(1 << 62)
	for range clockQuestions {
		asked := time.Now()
		answer, err := d.ask(ctx, d.o.AnswerTimeout, probe.Request{Clock: true})
		took := time.Since(asked)
		if err != nil {
			return 0, err
		}
		if took < quickest {
			quickest, offset = took, time.Unix(0, answer.Clock).Sub(asked.Add(took/2).Round(0))
		}
	}
	return offset, nil
}

// UnreachableLinkError says that one device does not reach the other over the network.
type UnreachableLinkError struct {
	From, To, Address string
	// Elsewhere is set when the port was not the pipeline's first, which is in use: a
	// firewall may let that in and not this one.
	Elsewhere bool
	Err       error
}

func (e *UnreachableLinkError) Error() string {
	return fmt.Sprintf("%s does not reach %s at %s: %v", e.From, e.To, e.Address, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableLinkError) Unwrap() error { return e.Err }

// Link tests one direction between two devices. That the one does not reach the other
// is an *UnreachableLinkError.
func (p *Probes) Link(ctx context.Context, from, to string, limits probe.Limits, port int) (probe.LinkResult, error) {
	sender, err := p.probed(from)
	if err != nil {
		return probe.LinkResult{}, err
	}
	receiver, err := p.probed(to)
	if err != nil {
		return probe.LinkResult{}, err
	}
	limit := linkSlack + time.Duration(limits.Cap*float64(time.Second))
	secret, host := probe.NewSecret(), receiver.node.PipelineAddress
	opened, err := receiver.ask(ctx, limit, probe.Request{Listen: &probe.ListenRequest{Host: host, Port: port, Secret: secret, Limits: limits}})
	if err != nil {
		return probe.LinkResult{}, err
	}
	if opened.Listen == nil || opened.Listen.Port < 1 || opened.Listen.Port > 65535 {
		return probe.LinkResult{}, receiver.failed(errNoAnswer)
	}
	at := net.JoinHostPort(host, strconv.Itoa(opened.Listen.Port))
	answer, err := sender.ask(ctx, limit, probe.Request{Send: &probe.SendRequest{Address: at, Secret: secret, Limits: limits}})
	switch {
	case err != nil && answer.Unreached:
		return probe.LinkResult{}, &UnreachableLinkError{From: from, To: to, Address: at, Elsewhere: opened.Listen.Port != port, Err: errors.Unwrap(err)}
	case err != nil:
		return probe.LinkResult{}, err
	case answer.Link == nil:
		return probe.LinkResult{}, sender.failed(errNoAnswer)
	}
	return *answer.Link, sender.failed(answer.Link.Check())
}

// Base asks what a worker costs on a device beside its slice. The engine is among the
// blobs there.
func (p *Probes) Base(ctx context.Context, name string, request probe.BaseRequest) (probe.Base, error) {
	d, err := p.probed(name)
	if err != nil {
		return probe.Base{}, err
	}
	answer, err := d.ask(ctx, engineTimeout, probe.Request{Base: &request})
	if err == nil && answer.Base == nil {
		err = d.failed(errNoAnswer)
	}
	if err != nil {
		return probe.Base{}, err
	}
	return *answer.Base, d.failed(answer.Base.Check())
}

// Range runs a range of a model on a device, whose files are among the blobs there.
func (p *Probes) Range(ctx context.Context, name string, request probe.RangeRequest) (probe.RangeResult, error) {
	d, err := p.probed(name)
	if err != nil {
		return probe.RangeResult{}, err
	}
	limit := engineTimeout + time.Duration(5*request.Cap*float64(time.Second))
	answer, err := d.ask(ctx, limit, probe.Request{Range: &request})
	if err == nil && answer.Range == nil {
		err = d.failed(errNoAnswer)
	}
	if err != nil {
		return probe.RangeResult{}, err
	}
	return *answer.Range, d.failed(answer.Range.Check())
}
