package config

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	for before, after := range map[string]string{
		"a=1\nlonger   =   2\n":                    "a      = 1\nlonger = 2\n",
		"node \"a\" {\nmemory=\"1GiB\" # all\n}\n": "node \"a\" {\n  memory = \"1GiB\" # all\n}\n",
		"x = [\n1,\n  2]\n":                        "x = [\n  1,\n2]\n",
		"t = <<-E\n    kept\n  E\n":                "t = <<-E\n    kept\n  E\n",
		"":                                         "",
		"x = 1":                                    "x = 1",
		"a {\r\nb=1\r\n}\r\n":                      "a {\r\n  b = 1\r\n}\r\n",
	} {
		got, diags := Format("f.hcl", []byte(before))
		if len(diags) > 0 || string(got) != after {
			t.Errorf("Format(%q) = %q, want %q (%v)", before, got, after, diags)
		}
	}
}

func TestFormatFaults(t *testing.T) {
	for source, want := range map[string]string{
		"a = \n":                            "Invalid expression",
		"a = " + strings.Repeat("(", 2000):  "Expression nested too deeply",
		"<<<<<<< a\nx=1\n>>>>>>> b\n":       "Merge conflict in a file",
		"a = {\n<<<<<<< a\n}\n>>>>>>> b\n{": "Merge conflict in a file",
	} {
		got, diags := Format("f.hcl", []byte(source))
		if got != nil || !diags.HasErrors() || diags[0].Summary != want || diags[0].Subject == nil {
			t.Errorf("Format(%.40q) = %q, %v; want %q", source, got, diags, want)
		}
	}
}

// TestFormatIsIdempotent puts pieces of configurations together at random.
func TestFormatIsIdempotent(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"a", "=", "1", "\n", " ", "\t", "{", "}", "[", "]", "(", ")", ",", "# c\n", "// d\n", "/* e */", `"t"`, `"${x}"`, "\r\n",
		"<<E\nt\nE\n", "<<-E\n  t\n  E\n", "node \"a\" {\n", "x = 1\n", "x=[\n", "for k in v :", "=>", "...", "?", ":", "-", "!", "a.b", "a[0]", "f(", "\n\n",
	})
	rapid.Check(t, func(t *rapid.T) {
		checkFormat(t, []byte(strings.Join(rapid.SliceOfN(pieces, 0, 40).Draw(t, "pieces"), "")))
	})
}

// checkFormat holds what Format promises of any text.
func checkFormat(t interface{ Fatalf(string, ...any) }, src []byte) {
	once, diags := Format("f.hcl", src)
	if diags.HasErrors() {
		if diags[0].Summary == "File cannot be formatted" {
			t.Fatalf("%q: %v", src, diags)
		}
		return
	}
	twice, diags := Format("f.hcl", once)
	if diags.HasErrors() || !bytes.Equal(once, twice) {
		t.Fatalf("%q\nonce:  %q\ntwice: %q %v", src, once, twice, diags)
	}
}

func FuzzFormat(f *testing.F) {
	for _, archive := range faultArchives(f) {
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, src []byte) { checkFormat(t, src) })
}
