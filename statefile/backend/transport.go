package backend

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// transport is how connections are made: as Go does, with the authorities and the
// client certificate that are configured.
func (r *reader) transport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute}
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if r.boolean("skip_cert_verification") {
		t.TLSClientConfig.InsecureSkipVerify = true // asked for by name
	}
	if pem := r.text("client_ca_certificate_pem"); pem != "" {
		t.TLSClientConfig.RootCAs = r.pool("client_ca_certificate_pem", []byte(pem))
	}
	certificate, key := r.text("client_certificate_pem"), r.text("client_private_key_pem")
	if certificate == "" && key == "" {
		return t
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		r.fault("client_certificate_pem and client_private_key_pem are no pair of certificate and key in PEM: %w", err)
		return t
	}
	t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	return t
}

func (r *reader) pool(name string, pem []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		r.fault("%s holds no certificate in PEM: it starts with -----BEGIN CERTIFICATE-----", name)
	}
	return pool
}
