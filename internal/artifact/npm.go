package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// npmTimeout bounds the download of 86 MB.
	npmTimeout = 15 * time.Minute
	// killGrace is how long an ended command may hold its output open.
	killGrace = 5 * time.Second
)

// fetchEngines fills the cache with the libraries of every platform, from the
// package that the npm client gives.
func (o Options) fetchEngines(ctx context.Context) error {
	if o.Offline {
		return errors.New("it is in no cache, and this run is to stay offline")
	}
	if o.CacheDir == "" {
		return errors.New("there is no folder for caches: set HOME or XDG_CACHE_HOME")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("it is in no cache, and npm, which would fetch it, is not installed: %w", err)
	}
	if err := os.MkdirAll(o.cacheFolder(), 0o755); err != nil {
		return fmt.Errorf("make the cache: %w", err)
	}
	temp, err := os.MkdirTemp(o.cacheFolder(), ".npm-*")
	if err != nil {
		return fmt.Errorf("make a folder in the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	o.progress("engine: npm pack %s (about 86 MB)", o.engineRelease().spec())
	archive, err := npmPack(ctx, npm, o.engineRelease().spec(), temp)
	if err != nil {
		return err
	}
	return o.extractEngines(archive, temp)
}

// npmPack has npm download a package as an archive into a folder. No script of
// the package runs.
func npmPack(ctx context.Context, npm, spec, dir string) (archive string, err error) {
	ctx, cancel := context.WithTimeout(ctx, npmTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, npm, "pack", spec, "--ignore-scripts", "--pack-destination", dir)
	command.Dir = dir // so that no project's settings apply
	if err := run(ctx, command); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d archives instead of one", spec, len(found))
	}
	return found[0], nil
}

// escapeGlob quotes what has a meaning in a pattern of filepath.Glob.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// run runs a command; the error holds the end of what it wrote.
func run(ctx context.Context, command *exec.Cmd) error {
	command.WaitDelay = killGrace
	output, err := command.CombinedOutput()
	if err == nil {
		return nil
	}
	name := strings.Join(command.Args, " ")
	if ctx.Err() != nil {
		return fmt.Errorf("%s: stopped: %w", name, context.Cause(ctx))
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it ended well, only a child of it lingers
	}
	return fmt.Errorf("%s: %w\n%s", name, err, tail(string(output)))
}

// tail is the end of a text, indented, where programs put the reason.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	const most = 20
	if len(lines) > most {
		lines = append([]string{"..."}, lines[len(lines)-most:]...)
	}
	return "    " + strings.Join(lines, "\n    ")
}
