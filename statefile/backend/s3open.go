package backend

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"github.com/edgeplan/edgeplan/statefile"
)

func openS3(_ context.Context, r *reader, _ string) statefile.Backend {
	b := &bucket{
		bucket:  r.required("bucket", "edgeplan-states"),
		key:     strings.TrimPrefix(r.required("key", "hall/edgeplan.state.json"), "/"),
		timeout: r.duration("timeout", time.Minute),
	}
	b.encryption, b.customerKey = r.encryption()
	endpoint := r.endpoint()
	options := &minio.Options{
		Creds:      r.credentials(),
		Secure:     endpoint.Scheme == "https",
		Transport:  r.s3Transport(),
		Region:     r.text("region", "AWS_REGION", "AWS_DEFAULT_REGION"),
		MaxRetries: 1 + r.count("retry_max", 2),
	}
	if r.boolean("use_path_style") {
		options.BucketLookup = minio.BucketLookupPath
	}
	if len(r.faults) > 0 {
		return nil
	}
	client, err := minio.New(endpoint.Host, options)
	if err != nil {
		r.fault("endpoint: %w", err)
		return nil
	}
	b.client = client
	return b
}

// endpoint is the address of the service; that of AWS where none is given.
func (r *reader) endpoint() *url.URL {
	text := r.text("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	if text == "" {
		return &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.Scheme != "http" && u.Scheme != "https" {
		r.fault("endpoint is no address of a service: write https://HOST or https://HOST:PORT, without bucket and path")
		return &url.URL{}
	}
	return u
}

// encryption is what the service is asked to encrypt with: its own key, a key of
// its key management, or a key that only the client has.
func (r *reader) encryption() (sse encrypt.ServerSide, customer bool) {
	key, kms := r.text("sse_customer_key"), r.text("kms_key_id")
	var err error
	switch {
	case key != "" && kms != "":
		r.fault("sse_customer_key and kms_key_id exclude each other: choose one")
	case key != "":
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(key); err == nil {
			sse, err = encrypt.NewSSEC(raw)
		}
		if err != nil {
			r.fault("sse_customer_key is no base64 of 32 bytes: `openssl rand -base64 32` makes one")
		}
		return sse, true
	case kms != "":
		if sse, err = encrypt.NewSSEKMS(kms, nil); err != nil {
			r.fault("kms_key_id: %w", err)
		}
	case r.boolean("encrypt"):
		sse = encrypt.NewSSE()
	}
	return sse, false
}

// credentials are those written down here, else those of the environment, of the
// profile, and of the machine, in this order.
func (r *reader) credentials() *credentials.Credentials {
	access, secret := r.text("access_key"), r.text("secret_key")
	if (access == "") != (secret == "") {
		r.fault("access_key and secret_key belong together: give both, or neither to take them from the environment or a profile")
	}
	if access != "" {
		return credentials.NewStaticV4(access, secret, r.text("token"))
	}
	chain := []credentials.Provider{&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.FileAWSCredentials{
		Filename: r.text("shared_credentials_file", "AWS_SHARED_CREDENTIALS_FILE"),
		Profile:  r.text("profile", "AWS_PROFILE"),
	}}
	if r.text("profile") != "" { // named here, it wins over the environment
		chain = chain[2:]
	}
	if r.environment("AWS_EC2_METADATA_DISABLED") != "true" {
		chain = append(chain, &credentials.IAM{Client: &http.Client{Timeout: 2 * time.Second}})
	}
	return credentials.New(&someCredentials{chain: credentials.Chain{Providers: chain}})
}

// someCredentials turns a chain that found nothing into an error: a request
// without a signature would only be denied.
type someCredentials struct{ chain credentials.Chain }

var errNoCredentials = errors.New("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")

func (s *someCredentials) check(v credentials.Value, err error) (credentials.Value, error) {
	if err == nil && v.AccessKeyID == "" {
		err = errNoCredentials
	}
	return v, err
}

func (s *someCredentials) Retrieve() (credentials.Value, error) {
	return s.check(s.chain.Retrieve())
}

func (s *someCredentials) RetrieveWithCredContext(c *credentials.CredContext) (credentials.Value, error) {
	return s.check(s.chain.RetrieveWithCredContext(c))
}

func (s *someCredentials) IsExpired() bool { return s.chain.IsExpired() }

// s3Transport trusts also the authorities in custom_ca_bundle, a file.
func (r *reader) s3Transport() *http.Transport {
	t := r.transport()
	path := r.text("custom_ca_bundle", "AWS_CA_BUNDLE")
	if path == "" {
		return t
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		r.fault("custom_ca_bundle: %w", err)
		return t
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		r.fault("custom_ca_bundle: %s holds no certificate in PEM", path)
	}
	t.TLSClientConfig.RootCAs = pool
	return t
}
