package ort

import (
	"errors"
	"strings"
	"testing"
)

func TestExplainDlopen(t *testing.T) {
	tests := map[string]bool{ // whether the C library is to blame
		"/x.so: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /x.so)":                          true,
		"Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /x.so)":     true,
		"/x.so: libgomp.so.1: cannot open shared object file: No such file or directory":                     false,
		"dlopen(/x.dylib, 0x0002): mach-o file, but is an incompatible architecture (have 'x86_64', need..)": false,
	}
	for text, blamed := range tests {
		given := errors.New(text)
		err := explainDlopen(given)
		if !errors.Is(err, given) || strings.Contains(err.Error(), "glibc 2.27") != blamed {
			t.Errorf("%v", err)
		}
	}
}

func TestMinor(t *testing.T) {
	for version, want := range map[string]uint32{"1.24.3": 24, "1.17.0": 17, "1.9": 9} {
		if got, err := minor(version); got != want || err != nil {
			t.Errorf("%s: %d, %v", version, got, err)
		}
	}
	for _, version := range []string{"", "1", "2.0.0", "1.x.3", "1.-3"} {
		if _, err := minor(version); err == nil || !strings.Contains(err.Error(), "1.x") {
			t.Errorf("%q: %v", version, err)
		}
	}
}
