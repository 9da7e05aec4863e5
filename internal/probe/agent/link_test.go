package agent

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
	"github.com/edgeplan/edgeplan/internal/probe"
)

func itoa(n int) string { return strconv.Itoa(n) }

// shaped is a relay to an address that lets bytes through at a rate, after a burst, and
// until it is cut.
func shaped(t *testing.T, to string, bytesPerSecond float64, burst int, cutAfter int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		in, err := listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			in.Close()
			return
		}
		for _, c := range []net.Conn{in, out} { // small queues, as a device's line has them
			_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
			_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
		}
		var both sync.WaitGroup
		both.Go(func() { pace(out, in, bytesPerSecond, burst, cutAfter); out.(*net.TCPConn).CloseWrite() })
		both.Go(func() { io.Copy(in, out); in.Close() })
		both.Wait()
		out.Close()
	}()
	return listener.Addr().String()
}

func pace(out io.Writer, in io.Reader, bytesPerSecond float64, burst int, cutAfter int64) {
	buffer := make([]byte, 4<<10)
	begun, total := time.Now(), int64(0)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return
		}
		total += int64(n)
		if cutAfter > 0 && total > cutAfter {
			time.Sleep(time.Hour) // silence: nothing is closed
		}
		due := time.Duration(float64(total-int64(burst)) / bytesPerSecond * float64(time.Second))
		time.Sleep(due - time.Since(begun))
		if _, err := out.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func testLink(t *testing.T, l probe.Limits, via func(address string) string) (probe.LinkResult, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	secret := probe.NewSecret()
	port, _, err := Listen(ctx, "127.0.0.1", 21000, secret, l)
	if err != nil {
		t.Fatal(err)
	}
	return Send(ctx, via(net.JoinHostPort("127.0.0.1", itoa(port))), secret, l)
}

// What a line of a rate gives is told within the goal, and no longer than needed; a
// burst at the start is not taken for the rate.
func TestBandwidthOfALine(t *testing.T) {
	for _, test := range []struct {
		name string
		mbps float64
		l    probe.Limits
	}{
		{"8 Mbit/s", 8, probe.DefaultLimits()},
		{"100 Mbit/s", 100, probe.DefaultLimits()},
		{"few bytes", 80, probe.Limits{Bytes: 4 << 20, Floor: 0.1, Cap: 2, Goal: 0.05}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rate := test.mbps * 1e6 / 8
			got, err := testLink(t, test.l, func(to string) string { return shaped(t, to, rate, 100_000, 0) })
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.BytesPerSecond/rate-1) > 0.15 { // this machine may be busy; bench-probe is exact
				t.Errorf("%.3g of the rate was measured: %+v", got.BytesPerSecond/rate, got)
			}
			if got.Bytes > test.l.Bytes || got.Seconds > test.l.Cap+1 {
				t.Errorf("the limits were not kept: %+v", got)
			}
		})
	}
}

// A line that goes silent in the middle ends the test with an error in time.
func TestLineIsCut(t *testing.T) {
	begun := time.Now()
	_, err := testLink(t, probe.DefaultLimits(), func(to string) string { return shaped(t, to, 1e6, 0, 200_000) })
	if err == nil || time.Since(begun) > 15*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

// Somebody else answers at the address, or asks there: neither learns the secret, and
// who does not know it is not served.
func TestStrangers(t *testing.T) {
	ctx := context.Background()
	impostor, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer impostor.Close()
	go func() {
		for {
			conn, err := impostor.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }() // echoes what it is sent
		}
	}()
	if _, err := Send(ctx, impostor.Addr().String(), probe.NewSecret(), probe.DefaultLimits()); err == nil || !strings.Contains(err.Error(), peer.ErrStranger.Error()) {
		t.Errorf("an echo was taken for the peer: %v", err)
	}
	secret := probe.NewSecret()
	port, _, err := Listen(ctx, "127.0.0.1", 22000, secret, probe.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", itoa(port))
	if _, err := Send(ctx, address, probe.NewSecret(), probe.DefaultLimits()); err == nil {
		t.Error("who has another secret was served")
	}
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := Send(ctx, address, secret, probe.Limits{Bytes: 1 << 20, Floor: 0.05, Cap: 1, Goal: 1}); err != nil {
		t.Errorf("strangers kept the peer out: %v", err)
	}
}

func TestMain(m *testing.M) {
	peer.GreetTimeout = time.Minute // so that nobody is sent away before the listener is stopped
	os.Exit(m.Run())
}

// A listener that is stopped lets go at once of those who have not shown the secret yet.
func TestStopWhileAStrangerIsSilent(t *testing.T) {
	port, stop, err := Listen(context.Background(), "127.0.0.1", 22100, probe.NewSecret(), probe.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := io.ReadFull(silent, make([]byte, probe.SecretBytes)); err != nil { // it was accepted
		t.Fatal(err)
	}
	stop()
	_ = silent.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is held after the listener was stopped: %v", err)
	}
}

// The answer of the other device is not believed when it makes no sense, or never ends.
func TestResultsOfAHostileReceiver(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON": "hello\n", "negative": `{"bytes_per_second":-5}`, "nothing": `{}`, "absurd": `{"bytes_per_second":1e300}`,
		"endless": `{"bytes_per_second":` + strings.Repeat(" ", 1<<16) + `1}`, "closed": "",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			secret := probe.NewSecret()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if greet(conn, secret, true) != nil {
					return
				}
				if _, err := echoes(conn); err != nil {
					return
				}
				io.WriteString(conn, answer)
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
			}()
			if got, err := Send(context.Background(), listener.Addr().String(), secret, probe.DefaultLimits()); err == nil {
				t.Errorf("it was believed: %+v", got)
			}
		})
	}
}

// What is asked of a device is bounded, whatever is asked.
func TestLimitsAreBounded(t *testing.T) {
	for _, l := range []probe.Limits{{}, {Bytes: -1, Floor: -1, Cap: math.NaN(), Goal: math.Inf(1)}, {Bytes: 1 << 62, Floor: 1e9, Cap: 1e9, Goal: 1e9}} {
		b := l.Bounded()
		if b.Bytes <= 0 || b.Bytes > 1<<30 || !(b.Floor > 0 && b.Floor <= 30) || !(b.Cap > 0 && b.Cap <= 60) || !(b.Goal > 0 && b.Goal <= 1) {
			t.Errorf("%+v became %+v", l, b)
		}
	}
}
