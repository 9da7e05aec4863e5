package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// cronLines start the current release of a deployment after a reboot, and the
// promised one where there is one.
func cronLines(dir string) ([]string, error) {
	current, err := cronLine(deploymentLink(dir))
	if err != nil {
		return nil, err
	}
	promised, err := cronLine(promisedLink(dir))
	return []string{current, promised}, err
}

// cronLine starts the release that a link names (crontab(5): an unescaped % would
// be a new line). It leaves nothing for cron to wait for.
func cronLine(link string) (string, error) {
	link = filepath.Clean(link)
	if strings.ContainsFunc(link, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%q has control characters, which a crontab cannot hold", link)
	}
	line := fmt.Sprintf("@reboot %s supervise %s </dev/null >/dev/null 2>&1 & # edgeplan",
		shellQuote(filepath.Join(link, ProgramFile)), shellQuote(link))
	return strings.ReplaceAll(line, "%", `\%`), nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// registerCron puts the lines of a deployment into the user's crontab, once.
func registerCron(ctx context.Context, dir string) error {
	return editCrontab(ctx, dir, func(lines, own []string) []string {
		for _, line := range own {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		return lines
	})
}

// forgetCron takes the lines of a deployment out of the user's crontab.
func forgetCron(ctx context.Context, dir string) error {
	if !found("crontab") {
		return nil
	}
	return editCrontab(ctx, dir, func(lines, own []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool { return slices.Contains(own, line) })
	})
}

// editCrontab changes the user's crontab, one process at a time. It writes only
// what changed, and nothing when it could not read what is there.
func editCrontab(ctx context.Context, dir string, change func(lines, own []string) []string) error {
	own, err := cronLines(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	unlock, err := lockHome(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := readCrontab(ctx)
	if err != nil {
		return err
	}
	var lines []string
	if text := strings.TrimSuffix(before, "\n"); text != "" {
		lines = strings.Split(text, "\n")
	}
	after := strings.Join(append(change(lines, own), ""), "\n")
	if after == before {
		return nil
	}
	command := exec.CommandContext(ctx, "crontab", "-")
	command.Stdin = strings.NewReader(after)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("the crontab cannot be written: %w: %s", err, bytes.TrimSpace(out))
	}
	syscall.Sync() // it is in a folder that this user cannot open
	return nil
}

// lockHome keeps two of edgeplan's own out of one crontab, and leaves no file behind.
func lockHome(ctx context.Context) (unlock func(), err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	lock := flock.New(home, flock.SetFlag(os.O_RDONLY))
	if _, err := lock.TryLockContext(ctx, pollEvery); err != nil {
		return nil, fmt.Errorf("%s: another process changes the crontab: %w", home, err)
	}
	return func() { lock.Close() }, nil
}

// readCrontab gives the user's crontab. That there is none is said with an error
// and a message, which differs from what any other failure says.
func readCrontab(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "crontab", "-l")
	command.Env = append(os.Environ(), "LC_ALL=C")
	var out, problem bytes.Buffer
	command.Stdout, command.Stderr = &out, &problem
	err := command.Run()
	var exit *exec.ExitError
	none := strings.Contains(problem.String(), "no crontab for") || strings.Contains(problem.String(), "No such file")
	switch {
	case errors.As(err, &exit) && none:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("the crontab cannot be read: %w: %s", err, bytes.TrimSpace(problem.Bytes()))
	}
	return out.String(), nil
}
