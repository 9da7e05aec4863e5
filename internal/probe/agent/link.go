package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/resolve"
)

// A test of one direction: whoever sends connects, as a stage does to the next. Both
// greet. The sender asks for echoes until the line is quiet, then sends filler without
// end; the receiver measures what comes, and answers once it knows, or once the limits
// are reached, with its probe.LinkResult. That ends the test.

const (
	dialTimeout   = 5 * time.Second
	silence       = 5 * time.Second // of a link that was cut
	fillerBytes   = 128 << 10
	resultBytes   = 4 << 10 // of the answer, at most
	lookEvery     = 100 * time.Millisecond
	echo, filling = 'e', 'f'
)

// errUnreached is that no connection came about.
var errUnreached = errors.New("no connection came about")

// Send tests the direction from here to a listener of the other device.
func Send(ctx context.Context, address string, secret []byte, l probe.Limits) (probe.LinkResult, error) {
	conn, err := resolve.Dial(ctx, address, dialTimeout)
	if err != nil {
		return probe.LinkResult{}, fmt.Errorf("%w: %w", errUnreached, err)
	}
	defer discard(conn)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := greet(conn, secret, false); err != nil {
		return probe.LinkResult{}, fmt.Errorf("%w: %s answers, but not as the other device's probe: %w", errUnreached, address, err)
	}
	result, err := send(conn, l.Bounded())
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return result, err
}

// discard closes a connection and drops what it has not sent: the next test of the
// link is not to wait for it.
func discard(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

func send(conn net.Conn, l probe.Limits) (probe.LinkResult, error) {
	roundTrip, err := roundTrips(conn)
	if err != nil {
		return probe.LinkResult{}, fmt.Errorf("round trip: %w", cutOr(err))
	}
	answer := make(chan error, 1)
	var result probe.LinkResult
	go func() { answer <- readResult(conn, &result) }()
	fillErr := fill(conn, l)
	limit := time.Duration((l.Cap + 2) * float64(time.Second))
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	if err := <-answer; err != nil {
		return probe.LinkResult{}, fmt.Errorf("bandwidth: %w", cutOr(errors.Join(fillErr, err)))
	}
	result.RoundTripSeconds = roundTrip
	return result, nil
}

// fill sends filler that no line can compress, until the other end answers.
func fill(conn net.Conn, l probe.Limits) error {
	filler := make([]byte, fillerBytes)
	_, _ = rand.Read(filler) // never fails
	filler[0] = filling
	end := time.Now().Add(time.Duration((l.Cap + 1) * float64(time.Second)))
	for sent := int64(0); sent < l.Bytes && time.Now().Before(end); {
		_ = conn.SetWriteDeadline(time.Now().Add(silence))
		n, err := conn.Write(filler[:min(int64(len(filler)), l.Bytes-sent)])
		sent += int64(n)
		if err != nil {
			return err
		}
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// readResult reads the answer, and makes the writer stop.
func readResult(conn net.Conn, result *probe.LinkResult) error {
	_ = conn.SetReadDeadline(time.Now().Add(probe.MostSeconds*time.Second + silence))
	err := json.NewDecoder(io.LimitReader(conn, resultBytes)).Decode(result)
	_ = conn.SetWriteDeadline(time.Now()) // ends fill
	if err != nil {
		return err
	}
	return result.Check()
}

// cutOr says of a timeout what it means.
func cutOr(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("the link went silent: %w", err)
	}
	return err
}

// How the round trip is measured: until some echoes in a row are alike, since what an
// earlier test has left in queues has to drain.
const (
	alike      = 7
	mostEchoes = 100
	echoTime   = 2 * time.Second
)

// roundTrips is the median of the last echoes, in seconds.
func roundTrips(conn net.Conn) (float64, error) {
	begun := time.Now()
	var times []float64
	for len(times) < mostEchoes {
		_ = conn.SetDeadline(time.Now().Add(silence))
		t, err := roundTrip(conn)
		if err != nil {
			return 0, err
		}
		times = append(times, t)
		last := times[max(0, len(times)-alike):]
		low, high := slices.Min(last), slices.Max(last)
		if len(last) == alike && (high-low <= 0.25*low+0.0002 || time.Since(begun) > echoTime) {
			break
		}
		if time.Since(begun) > 2*echoTime && len(times) >= 3 {
			break // a line of seconds
		}
	}
	last := slices.Sorted(slices.Values(times[max(0, len(times)-alike):]))
	return last[len(last)/2], conn.SetDeadline(time.Time{})
}

func roundTrip(conn net.Conn) (float64, error) {
	one := [1]byte{echo}
	begun := time.Now()
	if _, err := conn.Write(one[:]); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(conn, one[:]); err != nil {
		return 0, err
	}
	return time.Since(begun).Seconds(), nil
}

// receive is the other end of send.
func receive(conn net.Conn, l probe.Limits) error {
	l = l.Bounded()
	first, err := echoes(conn)
	if err != nil {
		return err
	}
	if first != filling {
		return fmt.Errorf("the byte %q was received instead of filler", first)
	}
	result, err := measureFiller(conn, l)
	if err != nil {
		return err
	}
	_ = conn.SetWriteDeadline(time.Now().Add(silence))
	if err := json.NewEncoder(conn).Encode(result); err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Now().Add(silence)) // so that the answer is not overtaken by a reset
	_, _ = io.Copy(io.Discard, conn)
	return nil
}

// echoes answers single bytes until filler begins, and gives its first byte.
func echoes(conn net.Conn) (byte, error) {
	var one [1]byte
	for range mostEchoes + 1 {
		_ = conn.SetDeadline(time.Now().Add(silence))
		if _, err := io.ReadFull(conn, one[:]); err != nil {
			return 0, err
		}
		if one[0] != echo {
			break
		}
		if _, err := conn.Write(one[:]); err != nil {
			return 0, err
		}
	}
	return one[0], nil
}

// measureFiller reads until it knows the rate well enough, or a limit is reached.
func measureFiller(conn net.Conn, l probe.Limits) (probe.LinkResult, error) {
	g := &goodput{}
	buffer := make([]byte, 256<<10)
	looked := time.Time{}
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		n, err := conn.Read(buffer)
		now := time.Now()
		if n > 0 {
			g.add(n, now)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return probe.LinkResult{}, err
		}
		elapsed := g.elapsed(now)
		if err != nil || elapsed >= l.Cap || g.bytes >= l.Bytes {
			return g.result(), nil
		}
		if elapsed >= l.Floor && now.Sub(looked) >= lookEvery {
			looked = now
			if g.estimate().Spread <= l.Goal {
				return g.result(), nil
			}
		}
	}
}

func (g *goodput) result() probe.LinkResult {
	e := g.estimate()
	r := probe.LinkResult{BytesPerSecond: e.Mean, Spread: e.Spread, Bytes: g.bytes}
	if n := len(g.arrivals); n > 0 {
		r.Seconds = g.arrivals[n-1].at
	}
	return r
}
