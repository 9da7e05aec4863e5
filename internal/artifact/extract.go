package artifact

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Bounds on an archive from outside, far above the real one.
const (
	maxLibrary = 512 << 20 // bytes of one library
	maxArchive = 4 << 30   // bytes of everything unpacked
)

// extractEngines takes every library of the release out of the npm archive into
// the cache. Nothing reaches the cache before all of them are there with the
// digests they must have.
func (o Options) extractEngines(archive, temp string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	libraries := o.engineRelease().libraries
	parts, err := extractLibraries(f, libraries, temp)
	if err != nil {
		return fmt.Errorf("the archive of %s: %w", o.engineRelease().spec(), err)
	}
	for _, l := range libraries {
		target := o.cachePath(l)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.Rename(parts[l.platform], target); err != nil {
			return err
		}
	}
	return nil
}

// extractLibraries writes the libraries found in a .tgz into a folder, under
// names of its own, and gives their paths by platform. File names in the archive
// are only compared, never used.
func extractLibraries(r io.Reader, libraries []library, dir string) (map[string]string, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is no gzip file: %w", err)
	}
	files := tar.NewReader(io.LimitReader(unzipped, maxArchive))
	parts := map[string]string{}
	for len(parts) < len(libraries) {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, missing(libraries, parts)
		}
		if err != nil {
			return nil, fmt.Errorf("it is corrupt: %w", err)
		}
		l, ok, err := match(header, libraries)
		if err != nil {
			return nil, err
		}
		if !ok || parts[l.platform] != "" {
			continue
		}
		part := filepath.Join(dir, folder(l.platform))
		if err := extract(files, l, part); err != nil {
			return nil, fmt.Errorf("%s: %w", header.Name, err)
		}
		parts[l.platform] = part
	}
	return parts, nil
}

// match says which library a file of the archive is, if any.
func match(header *tar.Header, libraries []library) (library, bool, error) {
	if !filepath.IsLocal(header.Name) {
		return library{}, false, fmt.Errorf("it holds the name %q, which leaves the archive: it is not used", header.Name)
	}
	for _, l := range libraries {
		ok, err := path.Match("package/bin/napi-v*/"+l.npmPath, header.Name)
		if err != nil {
			return library{}, false, err
		}
		if !ok {
			continue
		}
		if header.Typeflag != tar.TypeReg || header.Size > maxLibrary {
			return library{}, false, fmt.Errorf("%s is no regular file of a sensible size", header.Name)
		}
		return l, true, nil
	}
	return library{}, false, nil
}

func extract(content io.Reader, l library, part string) error {
	digest := sha256.New()
	if err := writeFile(part, io.TeeReader(content, digest), 0o644); err != nil {
		return err
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != l.digest {
		return fmt.Errorf("its sha256 is %s, and the known one is %s: it is not used", got, l.digest)
	}
	return nil
}

func missing(libraries []library, parts map[string]string) error {
	for _, l := range libraries {
		if parts[l.platform] == "" {
			return fmt.Errorf("it holds no bin/napi-v*/%s", l.npmPath)
		}
	}
	return nil
}
