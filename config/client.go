package config

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Client is a model's `client` block: where clients reach the pipeline at its
// gateway without SSH.
type Client struct {
	HTTP string // host:port of the Open Inference Protocol over HTTP; "" for none
	GRPC string // host:port of the Open Inference Protocol over gRPC; "" for none
	// TokenSHA256 is the digest, in hex, of the token that clients must send; ""
	// asks for none. The token itself is not kept.
	TokenSHA256 string
	Authorities string // PEM certificates that clients' certificates must chain to; "" asks for none
}

const (
	loopbackAddress = "127.0.0.1"
	// minTokenBytes keeps the digest, which is in the state, from giving the token away.
	minTokenBytes  = 16
	maxSecretBytes = 1 << 20
	tokenFix       = "openssl rand -hex 16 > token.txt"
)

// client reads the block; nil when there is none.
func (r *reader) client() *Client {
	s := r.section("client")
	if s == nil {
		return nil
	}
	host := s.clientHost()
	c := &Client{HTTP: s.clientPort("http_port", host), GRPC: s.clientPort("grpc_port", host)}
	c.TokenSHA256, c.Authorities = s.tokenDigest(), s.authorities()
	if !s.given("http_port") && !s.given("grpc_port") {
		s.missing("http_port", "http_port = 8000")
	}
	guarded := s.given("token_file") || s.given("authorities_file")
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsLoopback() && !guarded {
		s.fault(&s.rng, "Open to anybody", "%s is not a loopback address, so anybody in its network could use the pipeline. Add token_file = \"token.txt\" "+
			"(make one with `%s`) or authorities_file, or leave address out.", host, tokenFix)
	}
	return c
}

func (r *reader) clientHost() string {
	a, ok := r.get("address", cty.String)
	if !ok {
		return loopbackAddress
	}
	ip, err := netip.ParseAddr(a.value.AsString())
	if err != nil {
		r.bad("address", a, invalidValue, "address is the IP address of the gateway that clients connect to; %q is none. Write \"0.0.0.0\" for all of its addresses.", a.value.AsString())
		return loopbackAddress
	}
	return ip.String()
}

func (r *reader) clientPort(name, host string) string {
	port := r.whole(name, 1, 65535, 0)
	if port == 0 {
		return ""
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// tokenDigest reads the token only to digest it.
func (r *reader) tokenDigest() string {
	text, a, ok := r.fileContent("token_file")
	if !ok {
		return ""
	}
	token := strings.TrimSpace(text)
	if len(token) < minTokenBytes || strings.ContainsAny(token, " \t\r\n") {
		r.bad("token_file", a, invalidValue, "The file must hold one word of at least %d characters. Make one with `%s`.", minTokenBytes, tokenFix)
		return ""
	}
	digest := sha256.Sum256([]byte(token))
	return hex.EncodeToString(digest[:])
}

func (r *reader) authorities() string {
	text, a, ok := r.fileContent("authorities_file")
	if ok && !x509.NewCertPool().AppendCertsFromPEM([]byte(text)) {
		r.bad("authorities_file", a, invalidValue, "The file has no PEM certificate.")
		return ""
	}
	return text
}

// fileContent is the content of a file named by an attribute.
func (r *reader) fileContent(name string) (string, argument, bool) {
	a, ok := r.get(name, cty.String)
	if !ok {
		return "", a, false
	}
	path, err := expandPath(r.config.Dir, a.value.AsString())
	if err == nil {
		var text []byte
		if text, err = readRegular(path, maxSecretBytes); err == nil {
			return string(text), a, true
		}
	}
	r.bad(name, a, "File cannot be read", "%v. The path is relative to the configuration folder.", err)
	return "", a, false
}
