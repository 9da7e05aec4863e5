package backend

import (
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/edgeplan/edgeplan/internal/servertest"
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
