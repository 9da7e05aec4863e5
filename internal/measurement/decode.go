package measurement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/suggest"
)

// maxFileBytes bounds the file: all pairs of 1,000 nodes need this much.
const maxFileBytes = 256 << 20

// Decode reads the content of a file of measurements; the name stands in errors, which
// are *Faults. It is strict, as what it does not know would be lost with the next
// write; only the order of entries is free, and the result is in order.
func Decode(name string, src []byte) (*Measurements, error) {
	text := bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")) // some editors leave a byte order mark
	d := &decoder{name: name, src: text, mark: len(src) - len(text), dec: json.NewDecoder(bytes.NewReader(text))}
	if d.sound() && d.format() {
		return d.whole()
	}
	return nil, d.faults.err()
}

// decoder goes through the file once, so that it knows the place of each value.
type decoder struct {
	name   string
	src    []byte
	mark   int // bytes of a byte order mark before it
	dec    *json.Decoder
	faults Faults
}

func (d *decoder) fault(offset int, path, format string, args ...any) {
	d.faults.add(func() *Fault {
		line, column := position(d.src, offset)
		return &Fault{File: d.name, Line: line, Column: column, Offset: d.mark + offset, Path: path, Problem: fmt.Sprintf(format, args...)}
	})
}

func (d *decoder) whole() (*Measurements, error) {
	m := &Measurements{}
	d.object("", []member{
		{"format_version", false, func(path string) { d.value(path, number("", &m.FormatVersion, 1, FormatVersion)) }},
		{"nodes", true, func(path string) { readEntries(d, path, &m.Nodes) }},
		{"links", true, func(path string) { readEntries(d, path, &m.Links) }},
		{"profiles", true, func(path string) { readEntries(d, path, &m.Profiles) }},
	})
	if err := d.faults.err(); err != nil {
		return nil, err
	}
	return sorted(m), nil
}

// member is one member of an object and how its value is read.
type member struct {
	name     string
	optional bool
	read     func(path string)
}

// object reads an object. Its members may be in any order, each once.
func (d *decoder) object(path string, members []member) {
	start := d.next()
	if d.src[start] != '{' {
		d.skip(path, "an object")
		return
	}
	d.token()
	seen := map[string]bool{}
	for d.dec.More() {
		at := d.next()
		name := fmt.Sprint(d.token())
		d.member(path, name, at, members, seen)
		seen[name] = true
	}
	d.token()
	for _, m := range members {
		if !m.optional && !seen[m.name] {
			d.fault(start, join(path, m.name), "is missing")
		}
	}
}

func (d *decoder) member(path, name string, at int, members []member, seen map[string]bool) {
	for _, m := range members {
		if m.name != name {
			continue
		}
		if !seen[name] {
			m.read(join(path, name))
			return
		}
		d.fault(at, join(path, name), "is given twice. Keep one of them")
		d.pass()
		return
	}
	var names []string
	for _, m := range members {
		names = append(names, m.name)
	}
	d.fault(at, join(path, name), "is not known here. %s", suggest.Sentence(name, names, "field"))
	d.pass()
}

// readEntries reads a list of entries, each key once.
func readEntries[T any, P entry[T]](d *decoder, path string, to *[]T) {
	switch at := d.next(); d.src[at] {
	case 'n': // null is none
		d.pass()
		return
	case '[':
	default:
		d.skip(path, "a list")
		return
	}
	d.token()
	first := map[any]int{}
	for i := 0; d.dec.More(); i++ {
		at, before := d.next(), d.count()
		var e T
		here := fmt.Sprintf("%s[%d]", path, i)
		d.entry(here, P(&e).fields())
		if d.count() != before {
			continue
		}
		d.check(at, here, first, i, P(&e).key(), P(&e).contradiction)
		*P(&e).when() = stamp(*P(&e).when())
		*to = append(*to, e)
	}
	d.token()
}

// check looks at an entry whose values are sound one by one.
func (d *decoder) check(at int, path string, first map[any]int, i int, key any, contradiction func() (string, string)) {
	if name, problem := contradiction(); problem != "" {
		d.fault(at, join(path, name), "%s", problem)
	}
	if j, twice := first[key]; twice {
		d.fault(at, path, "measures the same as entry %d of this list. Keep the newer one", j)
		return
	}
	first[key] = i
}

func (d *decoder) count() int { return len(d.faults.All) + d.faults.More }

func (d *decoder) entry(path string, fields []field) {
	var members []member
	for _, f := range fields {
		members = append(members, member{f.name, f.optional, func(path string) { d.value(path, f) }})
	}
	d.object(path, members)
}

// value reads a single value and holds it to what may be there.
func (d *decoder) value(path string, f field) {
	at := d.next()
	if c := d.src[at]; c == 'n' || kind(c) != expected(f.to) {
		d.skip(path, expected(f.to))
		return
	}
	var err error
	if when, ok := f.to.(*time.Time); ok {
		err = d.moment(when)
	} else {
		err = d.dec.Decode(f.to)
	}
	if err != nil {
		d.fault(at, path, "%s", unreadable(err, f.to))
		return
	}
	if problem := f.problem(); problem != "" {
		d.fault(at, path, "%s", problem)
	}
}

func (d *decoder) moment(to *time.Time) error {
	var text string
	if err := d.dec.Decode(&text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("is %q; a time such as 2026-05-01T10:00:00Z is expected", text)
	}
	*to = stamp(t)
	return nil
}

// stamp is a time as the file has it: UTC, whole seconds.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func unreadable(err error, to any) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err.Error()
	}
	if _, float := to.(*float64); float {
		return fmt.Sprintf("is %s, which is beyond what a 64-bit float holds", strings.TrimPrefix(wrong.Value, "number "))
	}
	return fmt.Sprintf("is %s; a whole number of at most 63 bits is expected", strings.TrimPrefix(wrong.Value, "number "))
}

// skip passes over a value that is not what was expected.
func (d *decoder) skip(path, wanted string) {
	at := d.next()
	d.fault(at, path, "is %s, and %s was expected", kind(d.src[at]), wanted)
	d.pass()
}

func (d *decoder) pass() {
	var value json.RawMessage
	_ = d.dec.Decode(&value) // the whole file was found to be JSON
}

func (d *decoder) token() json.Token {
	token, err := d.dec.Token()
	if err != nil && !errors.Is(err, io.EOF) {
		d.fault(d.next(), "", "cannot be read: %v", err)
	}
	return token
}

// next is where the next token begins.
func (d *decoder) next() int {
	at := int(d.dec.InputOffset())
	for at < len(d.src)-1 && strings.IndexByte(" \t\r\n,:", d.src[at]) >= 0 {
		at++
	}
	return min(at, len(d.src)-1)
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

func expected(to any) string {
	switch to.(type) {
	case *string, *time.Time:
		return "a text"
	}
	return "a number"
}

// kind names what begins with a byte.
func kind(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}
