package measurement

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// beginAnew is what to do with a file that nobody can mend by hand: a probe adds to what it can
// read, so one that it cannot is to be out of its way.
const beginAnew = "Bring back its last version from git, or move it away and run `edgeplan probe`"

// sound says whether the file is one JSON object.
func (d *decoder) sound() bool {
	if len(bytes.TrimSpace(d.src)) == 0 {
		d.fault(len(d.src), "", "is empty. "+beginAnew)
		return false
	}
	var whole json.RawMessage
	if err := json.Unmarshal(d.src, &whole); err != nil {
		d.syntax(err)
		return false
	}
	if at := d.next(); d.src[at] != '{' {
		d.fault(at, "", "is %s, and an object was expected", kind(d.src[at]))
		return false
	}
	for i := 0; i < len(d.src); {
		r, size := utf8.DecodeRune(d.src[i:])
		if r == utf8.RuneError && size == 1 {
			d.fault(i, "", "is no text in UTF-8 from here. "+beginAnew)
			return false
		}
		i += size
	}
	return true
}

// syntax says where and why the file is no JSON.
func (d *decoder) syntax(err error) {
	if at, ok := conflictMark(d.src); ok {
		line, _ := position(d.src, at)
		d.fault(at, "", "has the marks of a merge conflict at line %d. Keep one side of each and delete the lines that begin with <<<<<<<, ======= and >>>>>>>; "+
			"an entry that stands twice after that is told", line)
		return
	}
	at := len(d.src)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = min(max(int(syntax.Offset)-1, 0), len(d.src))
	}
	if errors.As(err, &syntax) && int(syntax.Offset) < len(d.src) {
		d.fault(at, "", "is no JSON from here: %v. Correct it, or bring back its last version from git", err)
		return
	}
	d.fault(len(d.src), "", "is cut off: the JSON ends in the middle. "+beginAnew)
}

// conflictMark is where a merge left its marks. A JSON text has no line that begins so.
func conflictMark(src []byte) (offset int, found bool) {
	for _, mark := range []string{"<<<<<<< ", "=======\n", "=======\r\n", ">>>>>>> "} {
		if bytes.HasPrefix(src, []byte(mark)) {
			return 0, true
		}
		if i := bytes.Index(src, []byte("\n"+mark)); i >= 0 {
			return i + 1, true
		}
	}
	return 0, false
}

// format looks at the version before anything else: it decides what the rest means.
func (d *decoder) format() bool {
	var head struct {
		FormatVersion json.RawMessage `json:"format_version"`
	}
	if err := json.Unmarshal(d.src, &head); err != nil {
		d.fault(0, "", "cannot be read: %v", err)
		return false
	}
	at := max(bytes.Index(d.src, []byte(`"format_version"`)), 0)
	if head.FormatVersion == nil {
		d.fault(at, "format_version", "is missing, so this is no file of measurements. Write \"format_version\": %d if it is one", FormatVersion)
		return false
	}
	var version int
	if err := json.Unmarshal(head.FormatVersion, &version); err != nil {
		d.fault(at, "format_version", "is %s, and a whole number was expected, as %d", head.FormatVersion, FormatVersion)
		return false
	}
	if version < 1 {
		d.fault(at, "format_version", "is %d, and the first was 1. %s", version, beginAnew)
		return false
	}
	if version > FormatVersion {
		d.fault(at, "format_version", "is %d: a newer edgeplan wrote this, and this one reads formats up to %d. Use the newer edgeplan", version, FormatVersion)
		return false
	}
	return true
}
