package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/relay"
)

// timeWire prints what a device's processor spends on a byte that it sends or receives over
// TLS 1.3, in seconds: bytes come back to it through a relay at the rate of the cluster's links,
// since the more slowly they come the more often they wake it. Nothing of edgeplan's is in it.
func timeWire(relay, listen string, d time.Duration) error {
	client, server, err := tlsPair(relay, listen)
	if err != nil {
		return err
	}
	defer client.Close()
	received := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, server)
		received <- n
	}()
	message := make([]byte, 100_000)
	start, before := time.Now(), processorSeconds()
	for time.Since(start) < d {
		if _, err := client.Write(message); err != nil {
			return err
		}
	}
	if err := client.Close(); err != nil {
		return err
	}
	bytes := <-received
	// Both ends are on this device, so every byte was sent and received.
	return json.NewEncoder(os.Stdout).Encode((processorSeconds() - before) / float64(2*bytes))
}

// processorSeconds of this process so far, in user and system mode.
func processorSeconds() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func tlsPair(relay, listen string) (client, server *tls.Conn, err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"device"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	out, err := net.Dial("tcp", relay)
	if err != nil {
		return nil, nil, err
	}
	in, err := listener.Accept()
	if err != nil {
		return nil, nil, err
	}
	client = tls.Client(out, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "device", RootCAs: roots})
	server = tls.Server(in, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}})
	return client, server, nil
}

// timeWire runs timeWire on a limited device; the seconds are those of the device, which has
// its processor for a share of the time.
func (b *bench) timeWire(device string, share, mbps float64) (seconds float64, err error) {
	listen, err := freeAddress()
	if err != nil {
		return 0, err
	}
	link, err := relay.New(listen, mbps*1e6/8, relay.Slack)
	if err != nil {
		return 0, err
	}
	defer link.Close()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := b.limits.command(device, self, "-wire", link.Address()+","+listen, "-duration", "3s")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("time the wire: %w", err)
	}
	if err := json.Unmarshal(out, &seconds); err != nil || b.limits.root == "" {
		return seconds, err
	}
	return seconds / share, nil
}
