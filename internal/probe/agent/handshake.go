package agent

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
	"github.com/edgeplan/edgeplan/internal/probe"
)

// greet shows both ends of a connection that the other knows the secret, without
// telling it: each signs the other's random bytes, as the end that it is. What
// follows is filler, so it is neither signed nor encrypted: that would measure ciphers.
func greet(conn net.Conn, secret []byte, listening bool) error {
	if len(secret) != probe.SecretBytes {
		return fmt.Errorf("a secret of %d bytes, not %d", len(secret), probe.SecretBytes)
	}
	_ = conn.SetDeadline(time.Now().Add(peer.GreetTimeout))
	own, other := probe.NewSecret(), make([]byte, probe.SecretBytes)
	if _, err := conn.Write(own); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, other); err != nil {
		return err
	}
	if _, err := conn.Write(sign(secret, listening, own, other)); err != nil {
		return err
	}
	proof := make([]byte, sha256.Size)
	if _, err := io.ReadFull(conn, proof); err != nil {
		return fmt.Errorf("%w: %w", peer.ErrStranger, err)
	}
	if !hmac.Equal(proof, sign(secret, !listening, other, own)) {
		return peer.ErrStranger
	}
	return conn.SetDeadline(time.Time{})
}

// sign proves that an end knows the secret; its own random bytes come first.
func sign(secret []byte, listening bool, own, other []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "edgeplan probe, listening %t\n", listening)
	mac.Write(own)
	mac.Write(other)
	return mac.Sum(nil)
}
