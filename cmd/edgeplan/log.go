package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// logVariable turns the log on: debug, info, warn or error.
const logVariable = "EDGEPLAN_LOG"

// startLog lets slog write to standard error from the level that EDGEPLAN_LOG
// names up, and nowhere without it. No sensitive value gets into it.
func (c *cli) startLog(stderr io.Writer) error {
	c.secrets = &redactor{}
	text := os.Getenv(logVariable)
	if text == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
		return nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%s=%s: write debug, info, warn or error", logVariable, text)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(&redacting{stderr, c.secrets}, &slog.HandlerOptions{Level: level})))
	return nil
}

// logCommand logs a command line without the values of variables.
func logCommand(ctx context.Context, args []string) {
	slog.InfoContext(ctx, "command", "args", strings.Join(withoutValues(args), " "))
}

// withoutValues leaves out what is given to -var and -backend-config.
func withoutValues(args []string) []string {
	var shown []string
	hide := false
	for _, arg := range args {
		flag, value, given := strings.Cut(arg, "=")
		name := strings.TrimLeft(flag, "-")
		isVar := (name == "var" || name == "backend-config") && strings.HasPrefix(arg, "-")
		switch {
		case hide:
			name, _, _ := strings.Cut(arg, "=")
			arg = name + "=…"
		case isVar && given:
			name, _, _ := strings.Cut(value, "=")
			arg = flag + "=" + name + "=…"
		}
		hide = isVar && !given && !hide
		shown = append(shown, arg)
	}
	return shown
}

// redactor knows the texts that are not to be shown.
type redactor struct {
	mu    sync.Mutex
	texts []string
}

// minSecret is how long a text has to be to be looked for: shorter ones stand in
// words that are none.
const minSecret = 4

func (r *redactor) add(texts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range texts {
		if len(text) < minSecret {
			continue
		}
		r.texts = append(r.texts, text)
		if quoted := strconv.Quote(text); quoted[1:len(quoted)-1] != text {
			r.texts = append(r.texts, quoted[1:len(quoted)-1]) // as the log writes it
		}
	}
	// A secret that begins another one must not leave the rest of that to be seen.
	slices.SortFunc(r.texts, func(a, b string) int { return len(b) - len(a) })
}

func (r *redactor) redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range r.texts {
		text = strings.ReplaceAll(text, secret, "(sensitive value)")
	}
	return text
}

// redacting is a stream for one record of the log a write.
type redacting struct {
	to      io.Writer
	secrets *redactor
}

func (w *redacting) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, w.secrets.redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
