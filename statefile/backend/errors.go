package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Error says what a backend could not do, why, and what to do.
type Error struct {
	Location string // of the state
	Doing    string // as "read the state"
	Why      string // a clause
	Advice   string
	Err      error // may be nil
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: cannot %s: %s; %s", e.Location, e.Doing, e.Why, e.Advice)
}

// Unwrap gives the cause to errors.Is.
func (e *Error) Unwrap() error { return e.Err }

// unreachable describes a request that got no answer.
func unreachable(location, doing string, timeout time.Duration, err error) error {
	e := &Error{Location: location, Doing: doing, Err: err, Why: err.Error(),
		Advice: "look whether the server runs and can be reached from here, and try again"}
	var request *url.Error
	if errors.As(err, &request) {
		e.Why = request.Err.Error()
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		e.Why, e.Advice = "interrupted", "nothing was changed there"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		e.Why = fmt.Sprintf("it did not answer within %s", timeout)
		e.Advice = "look whether the server is well; timeout gives it more time"
	case strings.Contains(e.Why, "x509:"), strings.Contains(e.Why, "tls:"):
		e.Advice = "look at the certificate of the server, and at the authorities that are trusted here"
	}
	return e
}

// refusal describes an answer that is not the one that was asked for.
func refusal(location, doing string, status int, detail string) *Error {
	e := &Error{Location: location, Doing: doing, Why: "it answers " + statusText(status)}
	if detail != "" {
		e.Why += fmt.Sprintf(" (%s)", detail)
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Advice = "look at the credentials, and at what they allow"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		e.Advice = "look at the address and the method in the backend block"
	case status >= 500 || status == http.StatusTooManyRequests:
		e.Advice = "the server has a problem of its own: look at its log, and try again later"
	default:
		e.Advice = "look at the log of the server, and at the backend block"
	}
	return e
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// firstLine is what a person needs of an answer: at most 200 characters.
func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(line), "?"))
	if runes := []rune(line); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return line
}
