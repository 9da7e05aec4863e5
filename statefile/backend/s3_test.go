package backend

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/statefile"
)

func TestS3Faults(t *testing.T) {
	s := startVersitygw(t)
	tests := []struct {
		name   string
		change map[string]string
		want   string
	}{
		{"no such bucket", map[string]string{"bucket": "missing"}, "it answers 404 Not Found (NoSuchBucket); create the bucket missing, or correct its name"},
		{"wrong secret", map[string]string{"secret_key": "wrong"}, "it answers 403 Forbidden (SignatureDoesNotMatch); look at the credentials"},
		{"unknown user", map[string]string{"access_key": "nobody"}, "(XAdminUserNotFound); look at the credentials"},
		{"nobody listens", map[string]string{"endpoint": "http://127.0.0.1:1", "retry_max": "0"}, "connection refused; look whether the server runs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings := s3State(s, "faults")
			for name, value := range test.change {
				settings.Attributes[name] = value
			}
			b := open(t, "", settings)
			if err := b.Write(t.Context(), state(1), statefile.Snapshot{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if err := b.Lock(t.Context(), statefile.LockInfo{ID: "1"}); err == nil || errors.Is(err, statefile.ErrLocked) {
				t.Errorf("lock: got %v", err)
			}
		})
	}
}

// Services that answer nonsense, fail or hang.
func TestS3ServerFaults(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"500", status(500, ""), "it answers 500 Internal Server Error"},
		{"page", status(404, "<html>"), "it answers 404 Not Found"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // the server sees only then that the client has gone
			<-r.Context().Done()
		}, "it did not answer within 500ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.Close)
			b := open(t, "", Settings{Type: "s3", Attributes: map[string]string{"endpoint": server.URL, "bucket": "states", "key": "k",
				"region": "us-east-1", "access_key": "a", "secret_key": "b", "use_path_style": "true", "timeout": "500ms", "retry_max": "0"}})
			err := b.Write(t.Context(), state(1), statefile.Snapshot{})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// Credentials come from the profile that is named; without any there is a sentence.
func TestS3Credentials(t *testing.T) {
	s := startVersitygw(t)
	file := filepath.Join(t.TempDir(), "credentials")
	profile := "[edge]\naws_access_key_id = " + s.AccessKey + "\naws_secret_access_key = " + s.SecretKey + "\n"
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "MINIO_ROOT_USER", "MINIO_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	settings := s3State(s, "profile").WithoutSecrets()
	settings.Attributes["profile"], settings.Attributes["shared_credentials_file"] = "edge", file
	write(t, open(t, "", settings), state(1), statefile.Snapshot{})

	settings.Attributes["profile"] = "another"
	b, err := Open(t.Context(), "", settings, func(name string) string {
		return map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "there are no credentials: set AWS_ACCESS_KEY_ID") {
		t.Errorf("got %v", err)
	}
}

// The region, the endpoint and every attribute may come from the environment.
func TestS3Environment(t *testing.T) {
	s := startVersitygw(t)
	environment := map[string]string{
		"EDGEPLAN_S3_BUCKET": s.Bucket, "EDGEPLAN_S3_KEY": "from/environment", "AWS_REGION": "us-east-1",
		"AWS_ENDPOINT_URL_S3": s.Endpoint, "EDGEPLAN_S3_ACCESS_KEY": s.AccessKey, "EDGEPLAN_S3_SECRET_KEY": s.SecretKey,
	}
	b, err := Open(t.Context(), "", Settings{Type: "s3"}, func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	write(t, b, state(1), statefile.Snapshot{})
	if b.Location() != "s3://states/from/environment" {
		t.Errorf("it is in %s", b.Location())
	}
}

func TestSettingsFaults(t *testing.T) {
	tests := []struct {
		settings Settings
		want     string
	}{
		{Settings{Type: "gcs"}, `there is no backend "gcs": choose from local, http, s3`},
		{Settings{Type: "http"}, "address is missing"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "state.example.com"}}, "address is no address that starts with https://"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://pi:pw@state.example.com"}}, "set the password in EDGEPLAN_HTTP_PASSWORD"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://a", "adress": "x"}}, "there is no attribute adress. Did you mean address?"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://a", "headers": "x"}}, "headers is no object of strings"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://a", "retry_max": "-1"}}, "retry_max is \"-1\": write a whole number from 0 to 100"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://a", "timeout": "30"}}, "write a time with its unit"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://a", "client_ca_certificate_pem": "x"}}, "holds no certificate in PEM"},
		{Settings{Type: "http", Attributes: map[string]string{"address": "https://a", "client_certificate_pem": "x"}}, "are no pair of certificate and key"},
		{Settings{Type: "s3", Attributes: map[string]string{"bucket": "b", "key": "k", "access_key": "a"}}, "access_key and secret_key belong together"},
		{Settings{Type: "s3", Attributes: map[string]string{"bucket": "b", "key": "k", "endpoint": "http://h/bucket"}}, "endpoint is no address of a service"},
		{Settings{Type: "s3", Attributes: map[string]string{"bucket": "b", "key": "k", "sse_customer_key": "short"}}, "sse_customer_key is no base64 of 32 bytes"},
		{Settings{Type: "s3", Attributes: map[string]string{"bucket": "b", "key": "k", "sse_customer_key": "x", "kms_key_id": "y"}}, "exclude each other"},
		{Settings{Type: "s3", Attributes: map[string]string{"bucket": "b", "key": "k", "custom_ca_bundle": "/missing"}}, "custom_ca_bundle: open /missing"},
	}
	for _, test := range tests {
		_, err := Open(context.Background(), "", test.settings, func(string) string { return "" })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// What is asked of the service: encryption with its keys or with one of the user's,
// and a checksum that it keeps.
func TestS3AsksForEncryption(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	tests := []struct {
		attribute, value, header, want string
	}{
		{"encrypt", "true", "X-Amz-Server-Side-Encryption", "AES256"},
		{"kms_key_id", "key-1", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "key-1"},
		{"sse_customer_key", key, "X-Amz-Server-Side-Encryption-Customer-Key", key},
		{"encrypt", "false", "X-Amz-Checksum-Crc32c", crc32c(state(1))},
	}
	for _, test := range tests {
		var got http.Header
		server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
		b := open(t, "", Settings{Type: "s3", Attributes: map[string]string{"endpoint": server.URL, "bucket": "states", "key": "k", "region": "us-east-1",
			"access_key": "a", "secret_key": "b", "use_path_style": "true", "skip_cert_verification": "true", test.attribute: test.value}})
		if err := b.Write(t.Context(), state(1), statefile.Snapshot{}); err != nil {
			t.Error(err)
		}
		server.Close()
		if got.Get(test.header) != test.want {
			t.Errorf("%s: %s is %q, want %q", test.attribute, test.header, got.Get(test.header), test.want)
		}
	}
}
