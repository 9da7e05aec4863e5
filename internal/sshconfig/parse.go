// Package sshconfig reads what ssh_config(5) says of a host: the files of ssh
// with Host, Match and Include, of which it takes what edgeplan uses.
//
// It stands in for a library because those at hand read other hosts' blocks
// where ssh does not (conditions after the first of a Match line, patterns apart
// by tabs), or refuse a whole file for one line that is of no concern.
package sshconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxDepth of Include, as in ssh.
const maxDepth = 16

// maxFileBytes bounds a file; no person writes a longer one.
const maxFileBytes = 1 << 20

// Config is what some files say, the first file first.
type Config struct {
	lines []line
}

// line is one keyword with its arguments.
type line struct {
	keyword  string // lower case
	args     []string
	included [][]line // of an Include, a file each
	at       string   // file:line
}

// Load reads files. Those that do not exist say nothing.
func Load(files ...string) (*Config, error) {
	config := &Config{}
	for _, file := range files {
		lines, err := readFile(file, filepath.Dir(file), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		config.lines = append(config.lines, line{keyword: "include", included: [][]line{lines}, at: file})
	}
	return config, nil
}

// readFile reads a file; dir is where its relative includes are.
func readFile(file, dir string, depth int) ([]line, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s is %d bytes long: that is no ssh_config", file, info.Size())
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var lines []line
	number := 0
	for text := range strings.Lines(string(content)) {
		number++
		l := line{at: fmt.Sprintf("%s:%d", file, number)}
		if err := l.parse(text); err != nil {
			return nil, err
		}
		if l.keyword == "include" {
			if l.included, err = include(l, dir, depth+1); err != nil {
				return nil, err
			}
		}
		if l.keyword != "" {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// include reads the files of an Include line. A pattern without files is none.
func include(l line, dir string, depth int) ([][]line, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: Include goes deeper than %d files: does one include itself?", l.at, maxDepth)
	}
	var all [][]line
	for _, pattern := range l.args {
		pattern, err := expandHome(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.at, err)
		}
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: Include %s: %w", l.at, pattern, err)
		}
		for _, file := range files {
			lines, err := readFile(file, dir, depth)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.at, err)
			}
			all = append(all, lines)
		}
	}
	return all, nil
}

func expandHome(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%s: the home folder is not known: %w", path, err)
	}
	return filepath.Join(home, path[1:]), nil
}

// parse reads "Keyword argument…" or "Keyword=argument…"; arguments may be
// quoted, and # begins a comment.
func (l *line) parse(text string) error {
	text = strings.Trim(text, " \t\r\n\f")
	if text == "" || text[0] == '#' {
		return nil
	}
	end := strings.IndexAny(text, " \t=\"")
	if end < 0 {
		end = len(text)
	}
	l.keyword = strings.ToLower(text[:end])
	rest := strings.TrimLeft(text[end:], " \t")
	if after, ok := strings.CutPrefix(rest, "="); ok {
		rest = after
	}
	args, err := split(rest)
	if err != nil {
		return fmt.Errorf("%s: %w", l.at, err)
	}
	if len(args) == 0 {
		return fmt.Errorf("%s: %s has no value", l.at, text[:end])
	}
	l.args = args
	return nil
}

// split takes words apart, as a shell does with quotes and backslashes before
// quotes, blanks and backslashes.
func split(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && strings.IndexByte(`"'\`, text[i+1]) >= 0,
			c == '\\' && quote == 0 && i+1 < len(text) && text[i+1] == ' ':
			i++
			word.WriteByte(text[i])
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case c == '#' && !inWord:
			return words, nil
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
