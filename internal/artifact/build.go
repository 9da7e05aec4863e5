package artifact

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// buildTimeout bounds one cross-build, with every package compiled anew on a
// slow machine.
const buildTimeout = 20 * time.Minute

// build is a cross-build of the worker. The same source and toolchain give the
// same bytes wherever it runs.
type build struct {
	goTool   string
	platform string
}

func newBuild(platform string) (build, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return build{}, fmt.Errorf("%w: it would be built from source, and the Go toolchain is not installed (%w); "+
			"install Go, or use a release archive, which holds the workers", errNoSource, err)
	}
	return build{goTool: tool, platform: platform}, nil
}

// inSource builds the worker in a checkout.
func (b build) inSource(ctx context.Context, root, target string) error {
	target, err := filepath.Abs(target)
	if err != nil {
		return err
	}
	return b.run(ctx, root, "-mod=readonly", b.arguments(target, "./"+workerPackage)...)
}

// ofModule builds the worker of a released version of the module, in a module
// of its own that requires it.
func (b build) ofModule(ctx context.Context, release, target string) error {
	target, err := filepath.Abs(target)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), "module-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module edgeplan.invalid/build\n"), 0o644); err != nil {
		return err
	}
	name := modulePath + "/" + workerPackage
	if err := b.run(ctx, dir, "-mod=mod", "get", name+"@"+release); err != nil {
		return err
	}
	return b.run(ctx, dir, "-mod=readonly", b.arguments(target, name)...)
}

func (b build) arguments(target, name string) []string {
	ldflags := "-s -w"
	if b.platform == "linux/arm" {
		// The linker's own choice is the loader of the soft-float ABI.
		ldflags += " -I /lib/ld-linux-armhf.so.3"
	}
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", target, name}
}

func (b build) run(ctx context.Context, dir, flags string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, b.goTool, arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), b.environment(flags)...)
	return run(ctx, command)
}

// environment sets what would make the bytes differ from one machine to another.
func (b build) environment(flags string) []string {
	goos, goarch, _ := strings.Cut(b.platform, "/")
	return []string{
		"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + goarch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOARM=6", // the oldest boards too
		"GOFLAGS=" + flags, "GOWORK=off", "GOEXPERIMENT=",
	}
}
