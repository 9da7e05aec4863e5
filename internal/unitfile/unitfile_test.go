package unitfile

import "testing"

// Only command lines have variables: a dollar sign is doubled there, and nowhere else.
func TestQuotes(t *testing.T) {
	for text, want := range map[string]struct{ word, path string }{
		"/srv/plain":      {`"/srv/plain"`, `"/srv/plain"`},
		"/srv/two words":  {`"/srv/two words"`, `"/srv/two words"`},
		"/srv/$HOME":      {`"/srv/$$HOME"`, `"/srv/$HOME"`},
		"/srv/100%":       {`"/srv/100%%"`, `"/srv/100%%"`},
		`/srv/back\slash`: {`"/srv/back\\slash"`, `"/srv/back\\slash"`},
		`/srv/a"b`:        {`"/srv/a\"b"`, `"/srv/a\"b"`},
	} {
		if got := Quote(text); got != want.word {
			t.Errorf("Quote(%q) is %s, want %s", text, got, want.word)
		}
		if got := QuotePath(text); got != want.path {
			t.Errorf("QuotePath(%q) is %s, want %s", text, got, want.path)
		}
	}
}
