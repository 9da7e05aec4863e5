// Package unitfile writes values the way systemd reads them in unit files.
package unitfile

import (
	"fmt"
	"strings"
)

// Specifiers keeps a percent sign what it is (systemd.unit(5), Specifiers).
func Specifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// Quote makes one word of a command line (systemd.service(5), Command lines).
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(s) + `"`
}

// QuotePath makes one word of a list of paths, as of ReadWritePaths= (systemd.exec(5)). A
// dollar sign is nothing special there: only command lines have variables.
func QuotePath(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(s) + `"`
}

// Program starts a command line with a program whose name systemd takes: in the first
// word alone it refuses quotes and backslashes, and takes $$ for two dollars.
func Program(path string) string {
	if strings.ContainsAny(path, "\"'\\$") {
		return "/usr/bin/env " + Quote(path)
	}
	return Quote(path)
}

// Check refuses control characters, which the file has no way to write in some of its
// settings.
func Check(values ...string) error {
	for _, value := range values {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("%q has control characters, which a systemd unit cannot hold", value)
		}
	}
	return nil
}
