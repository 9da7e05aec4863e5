package backend

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/edgeplan/edgeplan/statefile"
)

// retries say how often a request is sent again, and when.
type retries struct {
	max        int           // beside the first attempt
	wait, most time.Duration // between attempts: the first, and the longest
}

// answer is what a server said.
type answer struct {
	status   int
	location string // where a redirect leads
	body     []byte
	repeated bool // an attempt before this one may have been carried out
}

// do sends a request until it is answered. What may pass, as a connection that
// breaks or a 5xx, is tried again: each request of the protocol does the same
// when it arrives twice.
func (s *server) do(ctx context.Context, doing, method, address string, body []byte) (answer, error) {
	var last answer
	tries := 0
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = s.retries.wait, s.retries.most
	_, err := backoff.Retry(ctx, func() (answer, error) {
		var err error
		last, err = s.attempt(ctx, method, address, body)
		tries++
		last.repeated = tries > 1
		return last, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(uint(s.retries.max)+1), backoff.WithMaxElapsedTime(0))
	var failed *serverFailure
	var large *tooLarge
	switch {
	case err == nil:
		return last, nil
	case errors.As(err, &failed):
		return answer{}, s.refused(doing, last)
	case errors.As(err, &large):
		return answer{}, &Error{Location: s.address, Doing: doing, Err: err,
			Why:    fmt.Sprintf("it answers with more than %d MiB, which is no state", statefile.MaxBytes>>20),
			Advice: "look whether the address is right"}
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return answer{}, unreachable(s.address, doing, s.timeout, err)
}

// serverFailure is an answer that another attempt may better.
type serverFailure struct{ status int }

func (e *serverFailure) Error() string { return statusText(e.status) }

// tooLarge is an answer without end.
type tooLarge struct{}

func (*tooLarge) Error() string { return "the answer has no end" }

func (s *server) attempt(ctx context.Context, method, address string, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := s.request(ctx, method, address, body)
	if err != nil {
		return answer{}, backoff.Permanent(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := readAll(response)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, location: response.Header.Get("Location"), body: content}
	if a.status >= 500 && a.status != http.StatusNotImplemented || a.status == http.StatusTooManyRequests {
		return a, &serverFailure{a.status}
	}
	return a, nil
}

func (s *server) request(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range s.headers {
		request.Header.Set(name, value)
	}
	if s.username != "" || s.password != "" {
		request.SetBasicAuth(s.username, s.password)
	}
	if body != nil {
		sum := md5.Sum(body)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	return request, nil
}

// readAll reads an answer whole, within bounds, and checks it against the digest
// that some servers send (RFC 1864).
func readAll(response *http.Response) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(response.Body, statefile.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off after %d bytes: %w", len(content), err)
	}
	if len(content) > statefile.MaxBytes {
		return nil, backoff.Permanent(&tooLarge{})
	}
	sum := md5.Sum(content)
	if want := response.Header.Get("Content-MD5"); want != "" && want != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, errors.New("the answer does not have the digest that came with it")
	}
	return content, nil
}

// refused is the error for an answer that is not the one wanted.
func (s *server) refused(doing string, a answer) error {
	e := refusal(s.address, doing, a.status, firstLine(a.body))
	if a.status >= 300 && a.status < 400 {
		e.Why = fmt.Sprintf("it answers %s, a redirect to %q", statusText(a.status), firstLine([]byte(a.location)))
		e.Advice = "if the state is there, write that address in the backend block: redirects are not followed, since a write would get lost on the way"
	}
	return e
}
