package deployer

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// What a device says reaches a terminal in events as well: each is one line, and moves no cursor.
func TestEventsAreOneLine(t *testing.T) {
	var told string
	o := Options{Progress: func(e Event) { told = e.Message }}.withDefaults()
	d := &device{name: "a", o: o}
	d.emit("warning", "%s", "cleared\x1b[2J\r\nand \u009b31m forged é")
	if strings.ContainsFunc(told, unicode.IsControl) || !strings.HasSuffix(told, "forged é") {
		t.Errorf("told %q", told)
	}
	if text := oneLine(strings.Repeat("é", 150)); !utf8.ValidString(text) || len(text) > 200 {
		t.Errorf("%q", text)
	}
}
