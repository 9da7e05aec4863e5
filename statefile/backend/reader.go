package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/edgeplan/edgeplan/internal/suggest"
)

// reader reads attributes and keeps all faults, to be reported at once.
type reader struct {
	kind        kind
	given       map[string]string
	environment func(string) string
	faults      []error
}

func (r *reader) err() error { return errors.Join(r.faults...) }

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("backend %q: %w", r.kind.name, fmt.Errorf(format, args...)))
}

func (r *reader) checkNames() {
	for _, name := range slices.Sorted(maps.Keys(r.given)) {
		if !slices.Contains(r.kind.names(), name) {
			r.fault("there is no attribute %s. %s", name, suggest.Sentence(name, r.kind.names(), "attribute"))
		}
	}
}

// text is an attribute, else its environment variable, else what others of the
// field are set; "" where none is.
func (r *reader) text(name string, others ...string) string {
	if value := r.given[name]; value != "" {
		return value
	}
	for _, variable := range append([]string{Variable(r.kind.name, name)}, others...) {
		if value := r.environment(variable); value != "" {
			return value
		}
	}
	return ""
}

func (r *reader) required(name, example string) string {
	value := r.text(name)
	if value == "" {
		r.fault("%s is missing: write %s = %q, or set %s", name, name, example, Variable(r.kind.name, name))
	}
	return value
}

func (r *reader) or(name, otherwise string) string {
	if value := r.text(name); value != "" {
		return value
	}
	return otherwise
}

func (r *reader) boolean(name string) bool {
	text := r.or(name, "false")
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.fault("%s is %q: write true or false", name, text)
	}
	return value
}

func (r *reader) count(name string, otherwise int) int {
	text := r.or(name, strconv.Itoa(otherwise))
	value, err := strconv.Atoi(text)
	if err != nil || value < 0 || value > 100 {
		r.fault("%s is %q: write a whole number from 0 to 100", name, text)
	}
	return value
}

func (r *reader) duration(name string, otherwise time.Duration) time.Duration {
	text := r.or(name, otherwise.String())
	value, err := time.ParseDuration(text)
	if err != nil || value <= 0 || value > time.Hour {
		r.fault("%s is %q: write a time with its unit up to an hour, as \"30s\"", name, text)
	}
	return value
}

// texts reads an object of strings, written as JSON.
func (r *reader) texts(name string) map[string]string {
	text := r.or(name, "{}")
	values := map[string]string{}
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		r.fault("%s is no object of strings: write %s = { NAME = \"VALUE\" }", name, name)
	}
	return values
}
