// Command build puts the servers and clients that tests run against into the per-user
// cache: versitygw, Gitea and grpcurl from their Go modules, and the gRPC client of
// Node.js from npm. What is there already stays.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/edgeplan/edgeplan/internal/servertest"
)

func main() {
	for _, server := range []struct {
		path  string
		build func(path string) error
	}{
		{servertest.Versitygw, buildVersitygw},
		{servertest.Gitea, buildGitea},
		{servertest.Grpcurl, buildGrpcurl},
		{servertest.GRPCJS, installGRPCJS},
	} {
		if err := build(server.path, server.build); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// build makes a program beside its place first, so that a half-built one is never run.
func build(name string, make func(path string) error) error {
	path, err := servertest.Path(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "building %s for the tests…\n", name)
	start := time.Now()
	if err := make(path + ".new"); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	fmt.Fprintf(os.Stderr, "built %s in %s\n", name, time.Since(start).Round(time.Second))
	return os.Rename(path+".new", path)
}

func buildVersitygw(path string) error {
	dir, err := download("github.com/versity/versitygw@" + servertest.VersitygwVersion)
	if err != nil {
		return err
	}
	return run(dir, "go", "build", "-o", path, "./cmd/versitygw")
}

func buildGrpcurl(path string) error {
	dir, err := download("github.com/fullstorydev/grpcurl@" + servertest.GrpcurlVersion)
	if err != nil {
		return err
	}
	return run(dir, "go", "build", "-o", path, "./cmd/grpcurl")
}

// installGRPCJS fills a folder of its own; no script of a package runs.
func installGRPCJS(path string) error {
	if err := errors.Join(os.RemoveAll(path), os.MkdirAll(path, 0o755)); err != nil {
		return err
	}
	return run(path, "npm", "install", "--prefix", path, "--no-audit", "--no-fund", "--ignore-scripts",
		"@grpc/grpc-js@"+servertest.GRPCJSVersion, "@grpc/proto-loader@0.8.1")
}

// buildGitea leaves out what only takes time to build: optimisation, and the
// symbols of a debugger. Gitea runs with templates and options of its module.
func buildGitea(path string) error {
	dir, err := download("code.gitea.io/gitea@" + servertest.GiteaVersion)
	if err != nil {
		return err
	}
	files, err := servertest.Path(servertest.GiteaFiles)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(files); err != nil {
		return err
	}
	for _, folder := range []string{"templates", "options"} {
		if err := os.CopyFS(filepath.Join(files, folder), os.DirFS(filepath.Join(dir, folder))); err != nil {
			return err
		}
	}
	return run(dir, "go", "build", "-gcflags=all=-N -l", "-ldflags=-s -w", "-tags=sqlite sqlite_unlock_notify", "-o", path, ".")
}

// download gives the folder of a module in the module cache.
func download(module string) (string, error) {
	command := exec.Command("go", "mod", "download", "-json", module)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", err
	}
	var answer struct{ Dir string }
	return answer.Dir, json.Unmarshal(out, &answer)
}

func run(dir, name string, args ...string) error {
	command := exec.Command(name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=", "CGO_CFLAGS=-O0")
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	return command.Run()
}
