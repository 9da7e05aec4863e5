package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
)

// server keeps the state behind Terraform's HTTP backend protocol
// (developer.hashicorp.com/terraform/language/backend/http): GET, POST and DELETE
// of the state, LOCK and UNLOCK with a description of the holder, and ?ID= with
// every write under a lock.
type server struct {
	address, lockAddress, unlockAddress string
	updateMethod, lockMethod, unlock    string
	username, password                  string
	headers                             map[string]string
	client                              *http.Client
	timeout                             time.Duration // of one attempt
	retries                             retries

	mu     sync.Mutex
	lockID string // of the lock this run holds; ""
}

func openHTTP(_ context.Context, r *reader, _ string) statefile.Backend {
	s := &server{
		address:      r.required("address", "https://state.example.com/hall"),
		updateMethod: r.or("update_method", http.MethodPost),
		lockAddress:  r.text("lock_address"),
		lockMethod:   r.or("lock_method", "LOCK"),
		unlock:       r.or("unlock_method", "UNLOCK"),
		username:     r.text("username"),
		password:     r.text("password"),
		headers:      r.texts("headers"),
		timeout:      r.duration("timeout", 30*time.Second),
		retries: retries{
			max:  r.count("retry_max", 2),
			wait: r.duration("retry_wait_min", time.Second),
			most: r.duration("retry_wait_max", 30*time.Second),
		},
	}
	s.unlockAddress = r.or("unlock_address", s.lockAddress)
	r.checkAddress("address", s.address)
	r.checkAddress("lock_address", s.lockAddress)
	r.checkAddress("unlock_address", s.unlockAddress)
	s.client = &http.Client{Transport: r.transport(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirected POST would arrive as a GET
	}}
	return s
}

// checkAddress wants an absolute address without a password, which would be
// printed and written down.
func (r *reader) checkAddress(name, address string) {
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.fault("%s is no address that starts with https:// or http://", name)
	case u.User != nil:
		r.fault("%s holds a user name: write that as username, and set the password in %s", name, Variable(r.kind.name, "password"))
	}
}

func (s *server) Location() string { return s.address }

func (s *server) Read(ctx context.Context) (statefile.Snapshot, error) {
	const doing = "read the state"
	a, err := s.do(ctx, doing, http.MethodGet, s.address, nil)
	if err != nil {
		return statefile.Snapshot{}, err
	}
	switch a.status {
	case http.StatusNotFound, http.StatusNoContent:
		return statefile.Snapshot{}, nil
	case http.StatusOK:
	default:
		return statefile.Snapshot{}, s.refused(doing, a)
	}
	if len(a.body) == 0 { // what servers answer that know no 404
		return statefile.Snapshot{}, nil
	}
	if strings.HasPrefix(strings.TrimSpace(string(a.body[:min(len(a.body), 512)])), "<") {
		return statefile.Snapshot{}, &Error{Location: s.address, Doing: doing,
			Why:    "it answers with a web page and not with a state",
			Advice: "look whether the address is right, and whether it wants a username and a password"}
	}
	return statefile.Snapshot{Content: a.body}, nil
}

func (s *server) Write(ctx context.Context, content []byte, _ statefile.Snapshot) error {
	if err := statefile.CheckSize(content); err != nil {
		return err
	}
	const doing = "write the state"
	a, err := s.do(ctx, doing, s.updateMethod, s.withLockID(s.address), content)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return nil
	case http.StatusLocked:
		return s.locked(a)
	case http.StatusConflict, http.StatusPreconditionFailed:
		return s.conflict(ctx, content, a)
	}
	return s.refused(doing, a)
}

// conflict forgives one between a write and its own repetition, where only the
// answer of the first was lost.
func (s *server) conflict(ctx context.Context, content []byte, a answer) error {
	now, err := s.Read(ctx)
	if err == nil && string(now.Content) == string(content) {
		return nil
	}
	return fmt.Errorf("%w: the server answers %s (%s)", statefile.ErrMoved, statusText(a.status), firstLine(a.body))
}

func (s *server) withLockID(address string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lockID == "" {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	query.Set("ID", s.lockID)
	u.RawQuery = query.Encode()
	return u.String()
}

// locked is the error that an answer about a held lock stands for.
func (s *server) locked(a answer) *statefile.LockError {
	return &statefile.LockError{Location: s.address, Info: statefile.ParseLockInfo(a.body), Outlives: true}
}

// Lock asks for the lock. Where the server was given no lock_address there is none.
func (s *server) Lock(ctx context.Context, info statefile.LockInfo) error {
	if s.lockAddress == "" {
		return nil
	}
	const doing = "lock the state"
	a, err := s.sendLock(ctx, doing, s.lockMethod, s.lockAddress, info)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
	case http.StatusLocked, http.StatusConflict:
		if held := s.locked(a); held.Info.ID != info.ID { // else the answer to the first request was lost
			return held
		}
	default:
		return s.refused(doing, a)
	}
	s.setLockID(info.ID)
	return nil
}

// Unlock gives the lock back. Where only the answer of an earlier attempt was lost, it is
// gone by the next one, or somebody else's.
func (s *server) Unlock(ctx context.Context, id string) error {
	if s.lockAddress == "" {
		return nil
	}
	const doing = "unlock the state"
	a, err := s.sendLock(ctx, doing, s.unlock, s.unlockAddress, statefile.LockInfo{ID: id})
	if err != nil {
		return err
	}
	switch gone := a.repeated && s.holds(id); a.status {
	case http.StatusOK, http.StatusNoContent:
	case http.StatusNotFound:
		if !gone {
			return statefile.ErrNotLocked
		}
	case http.StatusLocked, http.StatusConflict:
		if held := s.locked(a); !gone || held.Info.ID == "" || held.Info.ID == id {
			return held
		}
	default:
		return s.refused(doing, a)
	}
	s.setLockID("")
	return nil
}

func (s *server) sendLock(ctx context.Context, doing, method, address string, info statefile.LockInfo) (answer, error) {
	body, err := json.Marshal(info)
	if err != nil {
		return answer{}, err
	}
	return s.do(ctx, doing, method, address, body)
}

// holds says whether this run has taken the lock.
func (s *server) holds(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lockID == id
}

func (s *server) setLockID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lockID = id
}
