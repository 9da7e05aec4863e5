package servertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Protocol speaks Terraform's HTTP backend protocol as far as it is written down,
// with states in memory: any path is a state, and LOCK and UNLOCK of the same path
// its lock.
type Protocol struct {
	URL string
	// Around, when set, is called before and after each request is carried out, the
	// latter before it is answered.
	Around func(r *http.Request, done bool)

	mu     sync.Mutex
	states map[string][]byte
	locks  map[string][]byte
}

// StartProtocol starts a server that ends with the test.
func StartProtocol(t testing.TB) *Protocol {
	s := &Protocol{states: map[string][]byte{}, locks: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Protocol) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if s.Around != nil {
		s.Around(r, false)
		defer s.Around(r, true)
	}
	state, lock := s.states[r.URL.Path], s.locks[r.URL.Path]
	switch {
	case r.Method == http.MethodGet && state == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		_, _ = w.Write(state)
	case r.Method == http.MethodPost && lock != nil && r.URL.Query().Get("ID") != lockID(lock),
		r.Method == "LOCK" && lock != nil:
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(lock)
	case r.Method == "UNLOCK" && lock != nil && lockID(lock) != lockID(body):
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write(lock)
	case r.Method == http.MethodPost:
		s.states[r.URL.Path] = body
	case r.Method == "LOCK":
		s.locks[r.URL.Path] = body
	case r.Method == "UNLOCK":
		delete(s.locks, r.URL.Path)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func lockID(info []byte) string {
	var lock struct{ ID string }
	_ = json.Unmarshal(info, &lock)
	return lock.ID
}

// Lock is the description of who holds the lock of a path; nil where nobody does.
func (s *Protocol) Lock(path string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locks[path]
}
