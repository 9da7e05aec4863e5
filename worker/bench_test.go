package worker

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// BenchmarkHop reports what one more stage costs for a tensor of 100 KB: the CPU
// time of a request through four stages less that of one through one stage, per
// hop, with nothing but a copy for an engine. Sending, TLS both ways and
// receiving are in it; "cpu-us/wire" is what these cost without edgeplan, for the same
// bytes in the same run, and "cpu-us/beyond-wire" the difference, of which 150 are allowed.
func BenchmarkHop(b *testing.B) {
	const elements = 100_000
	for b.Loop() {
		one, four := cpuPerRequest(b, 1, elements, 2000), cpuPerRequest(b, 4, elements, 2000)
		hop, wire := float64((four-one).Microseconds())/3, float64(cpuOfTLS(b, elements).Microseconds())
		b.ReportMetric(hop, "cpu-us/hop")
		b.ReportMetric(wire, "cpu-us/wire")
		b.ReportMetric(hop-wire, "cpu-us/beyond-wire")
		b.ReportMetric(float64(one.Microseconds()), "cpu-us/one-stage")
	}
}

func cpuPerRequest(b *testing.B, stages int, elements int64, requests int) time.Duration {
	b.Helper()
	c := newCluster(b, layout{stages: stages, gateway: stages, elements: elements}).start()
	client := c.client(stages)
	send := func(n int) {
		var group errgroup.Group
		group.SetLimit(12)
		for i := range n {
			group.Go(func() error {
				_, err := client.Infer(context.Background(), testModel, testRelease, request(elements, byte(i)))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	send(requests / 10)
	before := cpuTime(b)
	send(requests)
	used := cpuTime(b) - before
	for i := range c.workers {
		c.stopOne(i)
	}
	return used / time.Duration(requests)
}

// cpuOfTLS is the CPU time that sending and receiving bytes takes over TLS on loopback.
func cpuOfTLS(b *testing.B, bytes int) time.Duration {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	sender, receiver := newKey(b), newKey(b)
	server, err := serverTLS(receiver, []ed25519.PublicKey{public(sender)})
	if err != nil {
		b.Fatal(err)
	}
	client, err := clientTLS(sender, public(receiver))
	if err != nil {
		b.Fatal(err)
	}
	server.NextProtos, client.NextProtos = nil, nil
	const messages = 2000
	var group errgroup.Group
	group.Go(func() error {
		conn, err := tls.NewListener(listener, server).Accept()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.CopyN(io.Discard, conn, int64(messages)*int64(bytes))
		return err
	})
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	before, message := cpuTime(b), make([]byte, bytes)
	for range messages {
		if _, err := conn.Write(message); err != nil {
			b.Fatal(err)
		}
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return (cpuTime(b) - before) / messages
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
