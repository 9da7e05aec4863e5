package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"syscall"
	"time"
)

// How the cost of bytes is seen: the more slowly they come the more often they wake a
// processor, so they come at the rate of a common link, 100 Mbit/s, some each millisecond.
const (
	wireTime = 600 * time.Millisecond
	wireRate = 100e6 / 8 // bytes per second
	wireTick = time.Millisecond
)

// wireCost is the processor time of a byte that is sent or received over TLS 1.3, in
// seconds. Both ends are in this process, so every byte is sent and received; what
// counts is the time of processors, of which the two ends may use several.
func wireCost(d time.Duration) (float64, error) {
	client, server, err := tlsPair()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	defer server.Close()
	received := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, server)
		received <- n
	}()
	message := make([]byte, 1<<20)
	if _, err := client.Write(message[:1]); err != nil { // the handshake is not counted
		return 0, err
	}
	sent, begun, used := int64(0), time.Now(), processorTime()
	for elapsed := time.Duration(0); elapsed < d; elapsed = time.Since(begun) {
		due := min(int64(elapsed.Seconds()*wireRate)-sent, int64(len(message)))
		if due > 0 {
			if _, err := client.Write(message[:due]); err != nil {
				return 0, err
			}
			sent += due
		}
		time.Sleep(wireTick)
	}
	if err := client.Close(); err != nil {
		return 0, err
	}
	if n := <-received; n < sent || sent == 0 {
		return 0, errors.New("a TLS connection within the device lost bytes")
	}
	return (processorTime() - used).Seconds() / float64(2*sent), nil
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // never fails for oneself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// tlsPair are the two ends of a connection within this device.
func tlsPair() (client, server *tls.Conn, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	certificate, pool, err := passingCertificate()
	if err != nil {
		return nil, nil, err
	}
	out, err := net.DialTimeout("tcp", listener.Addr().String(), dialTimeout)
	if err != nil {
		return nil, nil, err
	}
	in, err := listener.Accept()
	if err != nil {
		out.Close()
		return nil, nil, err
	}
	client = tls.Client(out, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "device", RootCAs: pool, Time: epoch})
	server = tls.Server(in, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}})
	return client, server, nil
}

// epoch stands for the time, since the device's clock may say anything.
func epoch() time.Time { return time.Unix(0, 0) }

func passingCertificate() (tls.Certificate, *x509.CertPool, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: epoch(), NotAfter: epoch().Add(time.Hour), DNSNames: []string{"device"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pool, nil
}
