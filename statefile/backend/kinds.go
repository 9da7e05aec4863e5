package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/statefile"
)

// kind is one type of backend.
type kind struct {
	name       string
	attributes []string
	secrets    []string // attributes that are never written down
	open       func(ctx context.Context, r *reader, dir string) statefile.Backend
}

func kinds() []kind {
	return []kind{
		{name: "local", attributes: []string{"path"}, open: openLocal},
		{
			name: "http",
			attributes: []string{"address", "update_method", "lock_address", "lock_method", "unlock_address", "unlock_method",
				"username", "client_ca_certificate_pem", "client_certificate_pem", "skip_cert_verification",
				"retry_max", "retry_wait_min", "retry_wait_max", "timeout"},
			secrets: []string{"password", "headers", "client_private_key_pem"},
			open:    openHTTP,
		},
		{
			name: "s3",
			attributes: []string{"bucket", "key", "region", "endpoint", "use_path_style", "profile", "shared_credentials_file",
				"encrypt", "kms_key_id", "custom_ca_bundle", "skip_cert_verification", "retry_max", "timeout"},
			secrets: []string{"access_key", "secret_key", "token", "sse_customer_key"},
			open:    openS3,
		},
	}
}

func find(name string) (kind, error) {
	if name == "" {
		name = "local"
	}
	var names []string
	for _, k := range kinds() {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return kind{}, fmt.Errorf("there is no backend %q: choose from %s", name, strings.Join(names, ", "))
}

func (k kind) names() []string { return append(slices.Clone(k.attributes), k.secrets...) }

// WithoutSecrets gives settings that may be written down: without passwords, keys
// and headers.
func (s Settings) WithoutSecrets() Settings {
	k, err := find(s.Type)
	if err != nil {
		return Settings{Type: s.Type}
	}
	public := Settings{Type: k.name, Attributes: map[string]string{}}
	for name, value := range s.Attributes {
		if !slices.Contains(k.secrets, name) {
			public.Attributes[name] = value
		}
	}
	return public
}

// Secrets are the names of the attributes that WithoutSecrets leaves out, in order.
func (s Settings) Secrets() []string {
	k, _ := find(s.Type)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Attributes)), func(name string) bool {
		return !slices.Contains(k.secrets, name)
	})
}

// Equal says whether both are the same place, whoever goes there.
func (s Settings) Equal(t Settings) bool {
	a, b := s.WithoutSecrets(), t.WithoutSecrets()
	return a.Type == b.Type && maps.Equal(a.Attributes, b.Attributes)
}

// Locks says whether two runs are kept apart there: a server of the HTTP protocol
// without an address for locks does not.
func (s Settings) Locks(environment func(string) string) bool {
	return s.Type != "http" || s.Attributes["lock_address"] != "" || environment(Variable("http", "lock_address")) != ""
}

// Variable is the name of the environment variable that stands for an attribute.
func Variable(backend, attribute string) string {
	return "EDGEPLAN_" + strings.ToUpper(backend) + "_" + strings.ToUpper(attribute)
}
