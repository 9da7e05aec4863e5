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
	"time"
)

// timeWire prints what a device spends on a byte that it sends or receives over TLS 1.3, in
// seconds: solver.Node.CPUSecondsPerByte. Nothing of edgeplan's is in it.
func timeWire(d time.Duration) error {
	client, server, err := tlsPair()
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
	start := time.Now()
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
	return json.NewEncoder(os.Stdout).Encode(time.Since(start).Seconds() / float64(2*bytes))
}

func tlsPair() (client, server *tls.Conn, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
	out, err := net.Dial("tcp", listener.Addr().String())
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

// timeWire runs timeWire on a limited device.
func (b *bench) timeWire(device string) (seconds float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := b.limits.command(device, self, "-wire", "-duration", "2s")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("time the wire: %w", err)
	}
	return seconds, json.Unmarshal(out, &seconds)
}
