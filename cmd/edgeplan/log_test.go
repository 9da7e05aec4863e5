package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// What a command line gives to variables and to the backend is not logged.
func TestCommandIsLoggedWithoutValues(t *testing.T) {
	given := []string{"init", "-backend-config=password=hunter2", "--backend-config", "secret_key=hunter2", "-var=token=hunter2", "-var", "token=hunter2", "-upgrade"}
	want := "init -backend-config=password=… --backend-config secret_key=… -var=token=… -var token=… -upgrade"
	if got := strings.Join(withoutValues(given), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Secrets are found however the log quotes them, and whole where one begins another.
func TestSecretsAreRedacted(t *testing.T) {
	secrets := &redactor{}
	secrets.add([]string{"pass", "password123", "two\nlines", `says "open sesame"`})
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&redacting{&out, secrets}, nil))
	log.Info("x", "a", "password123", "b", "two\nlines", "c", `says "open sesame"`)
	for _, part := range []string{"word123", "lines", "sesame"} {
		if strings.Contains(out.String(), part) {
			t.Errorf("%q is in the log: %s", part, out.String())
		}
	}
}
