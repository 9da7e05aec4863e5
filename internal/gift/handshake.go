package gift

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
)

// label of the keying material that the secret is proven on (RFC 8446, section 7.5), so
// that a proof is of one connection only.
const label = "EXPORTER-edgeplan-gift"

// errKey is that the other end has not the key that was announced.
var errKey = errors.New("the device that answers has not the key that was announced over SSH")

// newKey makes a key of the moment, and gives the digest by which it is known.
func newKey() (tls.Certificate, []byte, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	envelope := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, envelope, envelope, public, private)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, keyDigest(leaf), nil
}

func keyDigest(c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return sum[:]
}

// admit lets a giver in that knows the secret.
func admit(certificate tls.Certificate, secret []byte) peer.Greet {
	return func(raw net.Conn) (net.Conn, error) {
		conn := tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true})
		_ = conn.SetDeadline(time.Now().Add(peer.GreetTimeout))
		if err := conn.Handshake(); err != nil {
			return nil, err
		}
		proof, err := proofOf(conn, secret)
		if err != nil {
			return nil, err
		}
		shown := make([]byte, len(proof))
		if _, err := io.ReadFull(conn, shown); err != nil {
			return nil, err
		}
		if !hmac.Equal(shown, proof) {
			return nil, peer.ErrStranger
		}
		return conn, conn.SetDeadline(time.Time{})
	}
}

// introduce makes of a connection one to the taker that has the key, and proves the secret.
func introduce(raw net.Conn, key, secret []byte) (*tls.Conn, error) {
	conn := tls.Client(raw, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // the key is all that counts, and VerifyConnection compares it
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !hmac.Equal(keyDigest(state.PeerCertificates[0]), key) {
				return errKey
			}
			return nil
		},
	})
	_ = conn.SetDeadline(time.Now().Add(peer.GreetTimeout))
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	proof, err := proofOf(conn, secret)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(proof); err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

func proofOf(conn *tls.Conn, secret []byte) ([]byte, error) {
	state := conn.ConnectionState()
	material, err := state.ExportKeyingMaterial(label, nil, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("the connection gives nothing to prove the secret on: %w", err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(material)
	return mac.Sum(nil), nil
}
