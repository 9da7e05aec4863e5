package solver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A reader of JSON that knows the path of each value: encoding/json alone names
// the field of a wrong value, but not which entry of a list it is in. A null
// member counts as absent.

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// field reads the value that stands at a path.
type field = func(path string, raw json.RawMessage)

// object reads the members of an object. It refuses unknown and repeated ones,
// and asks for the needed ones.
func (f *faults) object(path string, raw json.RawMessage, fields map[string]field, needed ...string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		f.malform(orRoot(path), "must be an object, but is %s", kind(raw))
		return
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			f.malform(orRoot(path), "cannot be read: %v", err)
			return
		}
		name := fmt.Sprint(key)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			f.malform(join(path, name), "cannot be read: %v", err)
			return
		}
		f.member(join(path, name), name, value, fields, seen)
	}
	for _, name := range needed {
		if !seen[name] {
			f.malform(join(path, name), "is missing")
		}
	}
}

func (f *faults) member(path, name string, value json.RawMessage, fields map[string]field, seen map[string]bool) {
	read, known := fields[name]
	switch {
	case !known:
		f.malform(path, "unknown field; %s", meant(name, sortedKeys(fields))).atKey = true
	case seen[name]:
		f.malform(path, "is given twice").atKey = true
	case isNull(value):
		return
	default:
		read(path, value)
	}
	seen[name] = true
}

func sortedKeys(fields map[string]field) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// wholeFile is the path of faults of the file as a whole.
const wholeFile = "problem file"

func orRoot(path string) string {
	if path == "" {
		return wholeFile
	}
	return path
}

// list splits an array and gives each entry with its path.
func (f *faults) list(path string, raw json.RawMessage, size func(int), entry func(i int, path string, raw json.RawMessage)) {
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		f.malform(path, "must be a list, but is %s", kind(raw))
		return
	}
	size(len(all))
	for i, one := range all {
		entry(i, fmt.Sprintf("%s[%d]", path, i), one)
	}
}

// into reads a single string, integer or float.
func into[T string | bool | int | int64 | float64](f *faults, to *T) field {
	return func(path string, raw json.RawMessage) {
		if isNull(raw) {
			f.add(path, "is null; %s is expected", expected(*to))
			return
		}
		err := json.Unmarshal(raw, to)
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong) && tooLarge(*to, wrong.Value):
			f.add(path, "is %s, which is beyond what a 64-bit float holds", wrong.Value)
		case errors.As(err, &wrong):
			f.add(path, "is %s; %s is expected", wrong.Value, expected(*to))
		case err != nil:
			f.add(path, "cannot be read: %v", err)
		case unprintable(*to):
			f.add(path, "is %q; a name without control characters is expected, since it is printed", fmt.Sprint(*to))
		}
	}
}

// tooLarge tells a number that no float holds from what is no number.
func tooLarge(to any, value string) bool {
	_, float := to.(float64)
	return float && strings.HasPrefix(value, "number")
}

func expected(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	default:
		return "a whole number of at most 63 bits"
	}
}

// listInto reads a list of single values; an empty list stays non-nil.
func listInto[T string | int | int64 | float64](f *faults, to *[]T) field {
	return func(path string, raw json.RawMessage) {
		f.list(path, raw, func(n int) { *to = make([]T, n) }, func(i int, path string, raw json.RawMessage) {
			into(f, &(*to)[i])(path, raw)
		})
	}
}

func rowsInto(f *faults, to *[][]float64) field {
	return func(path string, raw json.RawMessage) {
		f.list(path, raw, func(n int) { *to = make([][]float64, n) }, func(i int, path string, raw json.RawMessage) {
			listInto(f, &(*to)[i])(path, raw)
		})
	}
}

func pairsInto(f *faults, to *[][2]int) field {
	return func(path string, raw json.RawMessage) {
		f.list(path, raw, func(n int) { *to = make([][2]int, n) }, func(i int, path string, raw json.RawMessage) {
			var pair []int
			listInto(f, &pair)(path, raw)
			if len(pair) != 2 {
				f.malform(path, "must be a pair of nodes, [from, to]")
				return
			}
			(*to)[i] = [2]int(pair)
		})
	}
}

func rangesInto(f *faults, to *[]Range) field {
	return func(path string, raw json.RawMessage) {
		f.list(path, raw, func(n int) { *to = make([]Range, n) }, func(i int, path string, raw json.RawMessage) {
			var parts []json.RawMessage
			f.list(path, raw, func(int) {}, func(_ int, _ string, raw json.RawMessage) { parts = append(parts, raw) })
			if len(parts) != 3 {
				f.malform(path, "must be [first segment, last segment, seconds]")
				return
			}
			r := &(*to)[i]
			into(f, &r.First)(path+"[0]", parts[0])
			into(f, &r.Last)(path+"[1]", parts[1])
			into(f, &r.Seconds)(path+"[2]", parts[2])
		})
	}
}

func objectsInto[T any](f *faults, to *[]T, fields func(*faults, *T) map[string]field, needed ...string) field {
	return func(path string, raw json.RawMessage) {
		f.list(path, raw, func(n int) { *to = make([]T, n) }, func(i int, path string, raw json.RawMessage) {
			f.object(path, raw, fields(f, &(*to)[i]), needed...)
		})
	}
}

// kind names the type of a JSON value.
func kind(raw json.RawMessage) string {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
		return "missing"
	case raw[0] == '{':
		return "an object"
	case raw[0] == '[':
		return "a list"
	case raw[0] == '"':
		return "a string"
	case raw[0] == 't' || raw[0] == 'f':
		return "true or false"
	case raw[0] == 'n':
		return "null"
	default:
		return "a number"
	}
}
