package worker

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// serverName is what every worker's certificate is for. Which worker it is, its
// key says.
const serverName = "worker.edgeplan.internal"

// A neighbour is known by its key alone, and its certificate is only the
// envelope that TLS wants around it: made in memory at each start, signed by
// the key itself, and valid for ever, since boards without a battery start in
// 1970. Verification is that of crypto/x509: for every pinned key there is one
// authority that has this key and its text as name, so a certificate passes
// when, and only when, a pinned key has signed it.

// clientTLS is for calling one neighbour.
func clientTLS(own ed25519.PrivateKey, neighbour ed25519.PublicKey) (*tls.Config, error) {
	config, pool, err := baseTLS(own, neighbour)
	if err != nil {
		return nil, err
	}
	config.RootCAs = pool
	config.ServerName = serverName
	return config, nil
}

// serverTLS lets in those who have one of the neighbours' keys.
func serverTLS(own ed25519.PrivateKey, neighbours []ed25519.PublicKey) (*tls.Config, error) {
	config, pool, err := baseTLS(own, neighbours...)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = pool
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

func baseTLS(own ed25519.PrivateKey, pinned ...ed25519.PublicKey) (*tls.Config, *x509.CertPool, error) {
	certificate, err := ownCertificate(own)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	for _, key := range pinned {
		authority, err := authorityOf(key)
		if err != nil {
			return nil, nil, err
		}
		pool.AddCert(authority)
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{certificate},
		VerifyConnection:       selfSigned,
		SessionTicketsDisabled: true, // a key that is taken out of peers.json is out at once
	}, pool, nil
}

// selfSigned refuses certificates that a pinned key has issued for another one.
func selfSigned(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the neighbour showed no certificate")
	}
	leaf := state.PeerCertificates[0]
	key, ok := leaf.PublicKey.(ed25519.PublicKey)
	if !ok || leaf.Issuer.CommonName != encodeKey(key) {
		return errors.New("the neighbour's certificate is not for the key that signed it")
	}
	return nil
}

func ownCertificate(key ed25519.PrivateKey) (tls.Certificate, error) {
	public := key.Public().(ed25519.PublicKey)
	leaf := template("edgeplan-worker")
	leaf.DNSNames = []string{serverName}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, template(encodeKey(public)), public, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// authorityOf stands for a pinned key in a pool. Its own signature is never
// looked at, so a key of the moment signs it.
func authorityOf(key ed25519.PublicKey) (*x509.Certificate, error) {
	_, moment, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	authority := template(encodeKey(key))
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	authority.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, authority, template("edgeplan"), key, moment)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
}

// callerKey is the public key, as in peers.json, of whoever makes a call.
func callerKey(ctx context.Context) (string, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", errors.New("the call has no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return "", errors.New("the call did not come over TLS with a key")
	}
	key, ok := info.State.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("the caller's key is %T, not Ed25519", info.State.PeerCertificates[0].PublicKey)
	}
	return encodeKey(key), nil
}
