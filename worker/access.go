package worker

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oiprest"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Access is where clients reach the pipeline without SSH. On a loopback address
// there is neither TLS nor a check of who asks. Anywhere else there is TLS 1.3
// with a certificate for the worker's own key, and clients must have a token, a
// certificate, or both, as the manifest says.
type Access struct {
	// HTTP and GRPC are host:port of the two forms of the Open Inference
	// Protocol; "" for none. HTTP also serves /metrics.
	HTTP string `json:"http,omitempty"`
	GRPC string `json:"grpc,omitempty"`
	// TokenSHA256 is the digest, in hex, of the token that clients send as
	// "Authorization: Bearer TOKEN"; the token itself stays with the operator.
	TokenSHA256 string `json:"token_sha256,omitempty"`
	// Authorities are PEM certificates; a client's certificate must chain to one.
	Authorities string `json:"authorities,omitempty"`
}

// Limits on clients, beside those of listen.go.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	clientStreams = 16 // requests under way on one HTTP/2 connection
	// jsonElement is the most bytes of an element as JSON, with what stands around it.
	// Clients write a float32, and even a float16, with all the digits of a float64:
	// "[-2.2250738585072014e-308], ".
	jsonElement = 32
)

func (a Access) check() error {
	if a.HTTP == "" && a.GRPC == "" {
		return errors.New("neither http nor grpc: nothing to listen to")
	}
	if digest, err := hex.DecodeString(a.TokenSHA256); a.TokenSHA256 != "" && (err != nil || len(digest) != sha256.Size) {
		return errors.New("token_sha256 is no SHA-256 digest in hex")
	}
	if a.Authorities != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(a.Authorities)) {
		return errors.New("authorities has no PEM certificate")
	}
	for _, address := range []string{a.HTTP, a.GRPC} {
		if address == "" {
			continue
		}
		if err := checkAddress(address); err != nil {
			return err
		}
		if !loopback(address) && a.TokenSHA256 == "" && a.Authorities == "" {
			return fmt.Errorf("%s is no loopback address: clients there need a token or certificates", address)
		}
	}
	return nil
}

// loopback tells whether only this device reaches an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// tls is the configuration for an address, or nil where it is not needed.
func (a Access) tls(s *server, address string, protocols ...string) (*tls.Config, error) {
	if loopback(address) {
		return nil, nil
	}
	certificate, err := ownCertificate(s.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, NextProtos: protocols}
	if a.Authorities != "" {
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM([]byte(a.Authorities))
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// permits compares the value of an Authorization header with the token.
func (a Access) permits(header string) bool {
	if a.TokenSHA256 == "" {
		return true
	}
	token, found := strings.CutPrefix(header, "Bearer ")
	digest := sha256.Sum256([]byte(token))
	return found && subtle.ConstantTimeCompare([]byte(hex.EncodeToString(digest[:])), []byte(strings.ToLower(a.TokenSHA256))) == 1
}

// noToken is what a client without the token is told.
const noToken = "this port needs the header Authorization: Bearer TOKEN"

// httpServer serves the REST form and the metrics.
func (s *server) httpServer(a Access) (*http.Server, error) {
	config, err := a.tls(s, a.HTTP, "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v2/", oiprest.Handler(s.clients(), s.gateway.hold, jsonLimit(s.manifest.Gateway.Inputs)))
	mux.Handle("/v2", http.RedirectHandler("/v2/", http.StatusPermanentRedirect))
	mux.Handle("GET /metrics", s.metrics.handler())
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.permits(r.Header.Get("Authorization")) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Connection", "close") // a stranger holds no place of maxConnections
			http.Error(w, `{"error": "`+noToken+`"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return &http.Server{
		Handler: guarded, TLSConfig: config, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return peer.NewContext(ctx, &peer.Peer{Addr: c.RemoteAddr()})
		},
		ReadTimeout: s.gateway.timeout(), WriteTimeout: 2 * s.gateway.timeout(), MaxHeaderBytes: maxHeaderBytes, ErrorLog: quietLog(),
		// The window of a connection opens only as bodies are read: it has room for all that is unread, or those
		// without a place would keep out what is still to come of one that has it.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: clientStreams, MaxReceiveBufferPerStream: unreadBytes, MaxReceiveBufferPerConnection: clientStreams * unreadBytes},
	}, nil
}

// jsonLimit is the most bytes of a request with these tensors as JSON.
func jsonLimit(infos []tensor.Info) int64 {
	total := int64(messageLimit(infos, false))
	for _, info := range infos {
		if elements, err := info.Elements(); err == nil {
			total += min(elements, math.MaxInt32) * jsonElement
		}
	}
	return total
}

// grpcServer serves the gRPC form.
func (s *server) grpcServer(a Access) (*grpc.Server, error) {
	config, err := a.tls(s, a.GRPC)
	if err != nil {
		return nil, err
	}
	guard := func(ctx context.Context) error {
		headers, _ := metadata.FromIncomingContext(ctx)
		if !a.permits(strings.Join(headers.Get("authorization"), "")) {
			return status.Error(codes.Unauthenticated, noToken)
		}
		return nil
	}
	options := append(serverOptions(messageLimit(s.manifest.Gateway.Inputs, true), inFlight(s.manifest)), s.gateway.unread()...)
	options = append(options,
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout, Time: pingEvery, Timeout: pingTimeout}),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := guard(ctx); err != nil {
				return nil, err
			}
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := guard(stream.Context()); err != nil {
				return err
			}
			return next(service, stream)
		}))
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server := grpc.NewServer(options...)
	s.gateway.register(server, s.clients())
	reflection.Register(server)
	return server, nil
}

// clients is the service for clients: the pipeline, and no stage alone.
func (s *server) clients() *control { return newControl(s.manifest, nil, s.gateway) }
