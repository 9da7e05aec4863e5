package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Engine finds the ONNX Runtime library of a platform: the path in the
// configuration, EDGEPLAN_ONNXRUNTIME, the user's cache, or the npm package,
// which fills the cache. It fails with ErrUnavailable where there is none to be had.
func Engine(ctx context.Context, platform string, o Options) (Artifact, error) {
	if err := checkPlatform(platform); err != nil {
		return Artifact{}, err
	}
	path, source, err := o.ownEngine(platform)
	if err != nil {
		return Artifact{}, err
	}
	if path != "" {
		return ownArtifact(path, source, platform)
	}
	wanted, ok := o.engineRelease().library(platform)
	if !ok {
		return Artifact{}, o.engineRelease().unavailable(platform)
	}
	return o.releasedEngine(ctx, wanted)
}

// ownEngine gives the library that the operator provides for a platform, ""
// when the operator provides none.
func (o Options) ownEngine(platform string) (path, source string, err error) {
	if path, ok := o.ConfiguredPaths[platform]; ok {
		return path, "the configuration", nil
	}
	if o.Environment == "" {
		return "", "", nil
	}
	info, err := os.Stat(o.Environment)
	if err != nil {
		return "", "", fmt.Errorf("engine %s: %s names what cannot be used: %w; correct or unset it", platform, EngineVariable, err)
	}
	if !info.IsDir() {
		if platform != o.Host {
			return "", "", nil // a file is for the operator's own platform
		}
		return o.Environment, EngineVariable, nil
	}
	path = filepath.Join(o.Environment, folder(platform), LibraryName(platform))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	return path, EngineVariable, nil
}

// ownArtifact checks a library of the operator's: it must be one for the platform.
func ownArtifact(path, source, platform string) (Artifact, error) {
	fail := func(err error) (Artifact, error) {
		return Artifact{}, fmt.Errorf("engine %s from %s: %w", platform, source, err)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fail(err)
	}
	object, err := inspect(path)
	if err != nil {
		return fail(err)
	}
	if object.platform != platform {
		return fail(fmt.Errorf("%s is built for %s; name a library for %s", path, object.platform, platform))
	}
	if !object.library {
		return fail(fmt.Errorf("%s is a program, not a shared library", path))
	}
	a, err := describe(path)
	if err != nil {
		return fail(err)
	}
	a.Kind, a.Platform, a.Version, a.Source = KindEngine, platform, object.version, source
	return a, nil
}

// releasedEngine finds the library of the release: in the cache, among what is
// collected already, or with npm.
func (o Options) releasedEngine(ctx context.Context, wanted library) (Artifact, error) {
	a, cacheErr := o.cachedEngine(wanted)
	if cacheErr == nil {
		return a, nil
	}
	if a, err := o.installed.Engine(wanted.platform); err == nil && a.Digest == wanted.digest {
		a.Source = WorkDir
		return a, nil
	}
	if !errors.Is(cacheErr, fs.ErrNotExist) {
		o.progress("engine %s: %v", wanted.platform, cacheErr)
	}
	if err := o.fetchEngines(ctx); err != nil {
		return Artifact{}, o.noEngine(wanted, err)
	}
	a, err := o.cachedEngine(wanted)
	if err != nil {
		return Artifact{}, o.noEngine(wanted, err)
	}
	a.Source = "npm"
	return a, nil
}

// cachePath is where the user's cache holds a library; "" without a cache.
func (o Options) cachePath(l library) string {
	if o.CacheDir == "" {
		return ""
	}
	return filepath.Join(o.cacheFolder(), folder(l.platform), LibraryName(l.platform))
}

func (o Options) cacheFolder() string {
	return filepath.Join(o.CacheDir, "edgeplan", "onnxruntime", o.engineRelease().version)
}

func (o Options) cachedEngine(wanted library) (Artifact, error) {
	path := o.cachePath(wanted)
	if path == "" {
		return Artifact{}, errors.New("there is no folder for caches: set HOME or XDG_CACHE_HOME")
	}
	a, err := describe(path)
	if err != nil {
		return Artifact{}, err
	}
	if a.Digest != wanted.digest {
		return Artifact{}, fmt.Errorf("%s in the cache is damaged: its sha256 is %s, and %s has %s",
			path, a.Digest, o.engineRelease().spec(), wanted.digest)
	}
	a.Kind, a.Platform, a.Version, a.Source = KindEngine, wanted.platform, o.engineRelease().version, "the user's cache"
	return a, nil
}

// noEngine says why there is no engine, and the ways to provide one.
func (o Options) noEngine(l library, cause error) error {
	cached := o.cachePath(l)
	if cached == "" {
		cached = "the user's cache (set HOME or XDG_CACHE_HOME first)"
	}
	return fmt.Errorf("engine %s: no ONNX Runtime %s: %w\nProvide it in one of three ways:\n"+
		"  - name the library in the configuration: edgeplan { engines = { %q = \"path/to/%s\" } },\n"+
		"    or set %s to a folder that holds %s/%s;\n"+
		"  - copy the library of that version to %s;\n"+
		"  - run `edgeplan init` where npm is installed and reaches its registry",
		l.platform, o.engineRelease().version, cause, l.platform, LibraryName(l.platform),
		EngineVariable, folder(l.platform), LibraryName(l.platform), cached)
}
