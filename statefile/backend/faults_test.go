package backend

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
)

// serve answers every request with a handler, and gives the backend there.
func serve(t *testing.T, more map[string]string, handler http.HandlerFunc) statefile.Backend {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return openAt(t, server.URL, more)
}

func openAt(t *testing.T, url string, more map[string]string) statefile.Backend {
	t.Helper()
	s := protocolState(url + "/state")
	for name, value := range more {
		s.Attributes[name] = value
	}
	return open(t, "", s)
}

// One sentence for each way in which a server can be wrong.
func TestServerFaults(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"500", status(500, "the database is gone\nstack trace"),
			"cannot read the state: it answers 500 Internal Server Error (the database is gone); the server has a problem of its own: look at its log, and try again later"},
		{"401", status(401, ""), "it answers 401 Unauthorized; look at the credentials, and at what they allow"},
		{"403", status(403, "not yours"), "it answers 403 Forbidden (not yours); look at the credentials"},
		{"405", status(405, ""), "it answers 405 Method Not Allowed; look at the address and the method in the backend block"},
		{"418", status(418, ""), "it answers 418 I'm a teapot; look at the log of the server"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example.com/state", http.StatusMovedPermanently)
		}, `it answers 301 Moved Permanently, a redirect to "https://elsewhere.example.com/state"; if the state is there, write that address`},
		{"web page", status(200, "\n<!DOCTYPE html><html>Sign in</html>"), "it answers with a web page and not with a state"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "it did not answer within 200ms; look whether the server is well; timeout gives it more time"},
		{"hangs in the middle", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"format`))
			w.(http.Flusher).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "it did not answer within 200ms"},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"format_version":1`))
		}, "the answer broke off after 19 bytes"},
		{"wrong digest", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
			_, _ = w.Write(state(1))
		}, "the answer does not have the digest that came with it"},
		{"control characters", status(403, "a\x1b[31mred\x00"), "it answers 403 Forbidden (a [31mred )"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := serve(t, map[string]string{"timeout": "200ms", "retry_max": "1"}, test.answer)
			_, err := b.Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if !strings.HasPrefix(fmt.Sprint(err), b.Location()) || strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("not one sentence about %s: %v", b.Location(), err)
			}
		})
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// An answer without end neither fills the memory nor hangs.
func TestEndlessAnswer(t *testing.T) {
	b := serve(t, map[string]string{"timeout": "60s"}, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("a"), 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := b.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "it answers with more than 64 MiB, which is no state") {
		t.Errorf("got %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	b := openAt(t, server.URL, nil)
	server.Close()
	if _, err := b.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused; look whether the server runs and can be reached from here") {
		t.Errorf("got %v", err)
	}
}

// An interrupt ends a request at once.
func TestInterruptEndsARequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := serve(t, map[string]string{"timeout": "60s"}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := b.Read(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

// What passes is tried again, as often as configured.
func TestRetries(t *testing.T) {
	var requests atomic.Int32
	flaky := func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write(state(4))
	}
	if s := read(t, serve(t, nil, flaky)); string(s.Content) != string(state(4)) {
		t.Errorf("read %q", s.Content)
	}
	requests.Store(0)
	if _, err := serve(t, map[string]string{"retry_max": "0"}, flaky).Read(t.Context()); err == nil || requests.Load() != 1 {
		t.Errorf("error %v after %d requests, want one", err, requests.Load())
	}
	requests.Store(0)
	if _, err := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}).Read(t.Context()); err == nil || requests.Load() != 1 {
		t.Errorf("a refusal was tried %d times", requests.Load())
	}
}

// The answer to a write or a lock can get lost: the repetition finds it done.
func TestLostAnswers(t *testing.T) {
	var lost atomic.Bool
	var stored, lock []byte
	b := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		first := lost.CompareAndSwap(false, true)
		switch {
		case r.Method == http.MethodGet:
			lost.Store(true)
			_, _ = w.Write(stored)
		case r.Method == http.MethodPost && stored != nil: // a server that keeps each serial once
			w.WriteHeader(http.StatusConflict)
		case r.Method == http.MethodPost:
			stored = body
		case lock != nil:
			w.WriteHeader(http.StatusLocked)
			_, _ = w.Write(lock)
		default:
			lock = body
		}
		if first {
			panic(http.ErrAbortHandler)
		}
	})
	if err := b.Lock(t.Context(), statefile.LockInfo{ID: "mine"}); err != nil {
		t.Errorf("lock: %v", err)
	}
	lost.Store(false)
	if err := b.Write(t.Context(), state(1), statefile.Snapshot{}); err != nil {
		t.Errorf("write: %v", err)
	}
	if err := b.Write(t.Context(), state(2), statefile.Snapshot{}); !errors.Is(err, statefile.ErrMoved) {
		t.Errorf("another state under the same serial: got %v, want ErrMoved", err)
	}
}

// The answer to giving a lock back can get lost as well: the repetition finds no lock,
// or somebody else's. A lock of another run is not taken for gone.
func TestLostAnswerToUnlock(t *testing.T) {
	for name, after := range map[string]http.HandlerFunc{
		"no lock": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"somebody else's": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusLocked)
			_, _ = w.Write([]byte(`{"ID":"theirs"}`))
		},
	} {
		var locked, lost atomic.Bool
		b := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == "LOCK":
				locked.Store(true)
			case locked.CompareAndSwap(true, false):
				if lost.Load() {
					panic(http.ErrAbortHandler)
				}
			default:
				after(w, r)
			}
		})
		lost.Store(true)
		if err := errors.Join(b.Lock(t.Context(), statefile.LockInfo{ID: "mine"}), b.Unlock(t.Context(), "mine")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lost.Store(false)
		if err := errors.Join(b.Lock(t.Context(), statefile.LockInfo{ID: "mine"}), b.Unlock(t.Context(), "mine")); err != nil {
			t.Errorf("%s: without a loss: %v", name, err)
		}
		if err := b.Unlock(t.Context(), "mine"); err == nil {
			t.Errorf("%s: given back twice", name)
		}
		lost.Store(true)
		locked.Store(true)
		if err := b.Unlock(t.Context(), "another run's"); err == nil {
			t.Errorf("%s: another run's is taken for given back", name)
		}
	}
}

// What a write carries: method, digest, lock ID, user, headers.
func TestRequestsAreAsConfigured(t *testing.T) {
	var got []*http.Request
	b := serve(t, map[string]string{
		"update_method": "PUT", "lock_method": "PUT", "unlock_method": "DELETE", "username": "pi", "password": "raspberry",
		"headers": `{"X-Site":"hall"}`,
	}, func(_ http.ResponseWriter, r *http.Request) { got = append(got, r) })
	if err := errors.Join(
		b.Lock(t.Context(), statefile.LockInfo{ID: "lock 1"}),
		b.Write(t.Context(), state(1), statefile.Snapshot{}),
		b.Unlock(t.Context(), "lock 1"),
		b.Write(t.Context(), state(2), statefile.Snapshot{}),
	); err != nil {
		t.Fatal(err)
	}
	var requests []string
	for _, r := range got {
		user, password, _ := r.BasicAuth()
		requests = append(requests, fmt.Sprintf("%s %s %s:%s %s", r.Method, r.URL.RequestURI(), user, password, r.Header.Get("X-Site")))
	}
	want := "PUT /state pi:raspberry hall, PUT /state?ID=lock+1 pi:raspberry hall, DELETE /state pi:raspberry hall, PUT /state pi:raspberry hall"
	if joined := strings.Join(requests, ", "); joined != want {
		t.Errorf("got  %s\nwant %s", joined, want)
	}
	sum := md5.Sum(state(1))
	if digest := got[1].Header.Get("Content-MD5"); digest != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("Content-MD5 %q", digest)
	}
}

// Without an address for locks there are none.
func TestWithoutLockAddress(t *testing.T) {
	server := httptest.NewServer(status(404, ""))
	t.Cleanup(server.Close)
	b := open(t, "", Settings{Type: "http", Attributes: map[string]string{"address": server.URL}})
	if err := errors.Join(b.Lock(t.Context(), statefile.LockInfo{ID: "1"}), b.Unlock(t.Context(), "1")); err != nil {
		t.Error(err)
	}
}

func TestLockFaults(t *testing.T) {
	b := serve(t, nil, status(404, "no such method"))
	if err := b.Lock(t.Context(), statefile.LockInfo{ID: "1"}); err == nil || !strings.Contains(err.Error(), "cannot lock the state: it answers 404 Not Found (no such method); look at the address and the method") {
		t.Errorf("got %v", err)
	}
	b = serve(t, nil, status(423, "held by somebody"))
	err := b.Lock(t.Context(), statefile.LockInfo{ID: "1"})
	if !errors.Is(err, statefile.ErrLocked) || !strings.Contains(err.Error(), "another run of edgeplan holds it") {
		t.Errorf("got %v", err)
	}
}

// A server with a certificate of its own is trusted when its authority is given.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(state(1)) }))
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	read(t, openAt(t, server.URL, map[string]string{"client_ca_certificate_pem": string(authority)}))
	read(t, openAt(t, server.URL, map[string]string{"skip_cert_verification": "true"}))
	_, err := openAt(t, server.URL, map[string]string{"retry_max": "0"}).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), "x509") || !strings.Contains(err.Error(), "look at the certificate of the server") {
		t.Errorf("got %v", err)
	}
}

// A state that cannot be written is kept in the folder, with the way to bring it back.
func TestWriteFailsInARun(t *testing.T) {
	var failing atomic.Bool
	dir := t.TempDir()
	b := serve(t, map[string]string{"timeout": "1s"}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case failing.Load():
			w.WriteHeader(http.StatusInternalServerError)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	m := statefile.OpenBackend(dir, b)
	s := load(t, m)
	failing.Store(true)
	start := time.Now()
	err := m.Record(s)
	if err == nil || !strings.Contains(err.Error(), "it is saved in "+dir+"/errored.edgeplan.state.json: remove the cause and run `edgeplan state push errored.edgeplan.state.json`") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s to give up", took)
	}
}
