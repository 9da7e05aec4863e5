package backend

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/edgeplan/edgeplan/internal/servertest"
	"github.com/edgeplan/edgeplan/statefile"
)

// Servers of others take a while to start: one each serves all tests.
var others struct {
	once  [2]sync.Once
	gitea servertest.HTTP
	s3    servertest.S3
	main  *mainTest
}

// mainTest lives as long as all tests: what it starts ends with them.
type mainTest struct {
	cleanups []func()
	dirs     []string
}

func (m *mainTest) Cleanup(f func()) { m.cleanups = append(m.cleanups, f) }
func (m *mainTest) TempDir() string {
	dir, err := os.MkdirTemp("", "edgeplan-servers-")
	if err != nil {
		panic(err)
	}
	m.dirs = append(m.dirs, dir)
	return dir
}

func (m *mainTest) end() {
	for _, f := range m.cleanups {
		f()
	}
	for _, dir := range m.dirs {
		_ = os.RemoveAll(dir)
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	others.main = &mainTest{}
	code := m.Run()
	others.main.end()
	os.Exit(code)
}

// startGitea and startVersitygw start a server for the first test that asks.
func startGitea(t *testing.T) servertest.HTTP {
	t.Helper()
	others.once[0].Do(func() { others.gitea = servertest.StartHTTP(&mainTB{t, others.main}) })
	if others.gitea.Username == "" {
		t.Skip("Gitea did not start")
	}
	return others.gitea
}

func startVersitygw(t *testing.T) servertest.S3 {
	t.Helper()
	others.once[1].Do(func() { others.s3 = servertest.StartS3(&mainTB{t, others.main}) })
	if others.s3.Bucket == "" {
		t.Skip("versitygw did not start")
	}
	return others.s3
}

// mainTB reports to the test that asks, and cleans up after the last one.
type mainTB struct {
	testing.TB
	main *mainTest
}

func (m *mainTB) Cleanup(f func()) { m.main.Cleanup(f) }
func (m *mainTB) TempDir() string  { return m.main.TempDir() }

// protocolServer speaks Terraform's HTTP backend protocol as far as it says
// anything, with states in memory.
type protocolServer struct {
	*httptest.Server
	mu     sync.Mutex
	states map[string][]byte
	locks  map[string][]byte
}

func startProtocolServer(t testing.TB) *protocolServer {
	s := &protocolServer{states: map[string][]byte{}, locks: map[string][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *protocolServer) settings(name string) Settings {
	return Settings{Type: "http", Attributes: map[string]string{
		"address": s.URL + "/" + name, "lock_address": s.URL + "/" + name, "retry_wait_min": "1ms", "timeout": "5s",
	}}
}

func (s *protocolServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	name := r.URL.Path
	switch r.Method {
	case http.MethodGet:
		if s.states[name] == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(s.states[name])
	case http.MethodPost:
		if s.locks[name] != nil && r.URL.Query().Get("ID") != lockID(s.locks[name]) {
			w.WriteHeader(http.StatusLocked)
			_, _ = w.Write(s.locks[name])
			return
		}
		s.states[name] = body
	case "LOCK":
		if s.locks[name] != nil {
			w.WriteHeader(http.StatusLocked)
			_, _ = w.Write(s.locks[name])
			return
		}
		s.locks[name] = body
	case "UNLOCK":
		if s.locks[name] != nil && lockID(s.locks[name]) != lockID(body) {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write(s.locks[name])
			return
		}
		delete(s.locks, name)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func lockID(content []byte) string { return statefile.ParseLockInfo(content).ID }
