package deployer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/statefile"
)

// missing are the blobs that a device lacks, each once. A blob is there when a
// file of its name has its size: only whole and hashed files get such a name.
func (s *site) missing(ctx context.Context, blobs []statefile.Blob) ([]statefile.Blob, error) {
	sizes, err := s.held(ctx)
	if err != nil {
		return nil, err
	}
	var list []statefile.Blob
	for _, blob := range blobs {
		if size, ok := sizes[blob.Digest]; !ok || size != blob.Size {
			list = append(list, blob)
			sizes[blob.Digest] = blob.Size
		}
	}
	return list, nil
}

// held gives the sizes of the blobs on a device.
func (s *site) held(ctx context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	infos, err := s.list(ctx, s.blobs())
	for _, info := range infos {
		if info.Mode().IsRegular() {
			sizes[info.Name()] = info.Size()
		}
	}
	return sizes, err
}

// list reads a folder; one that is not there is empty.
func (s *site) list(ctx context.Context, dir string) (infos []fs.FileInfo, err error) {
	err = s.files(ctx, func(c *sftp.Client) error {
		infos, err = c.ReadDirContext(ctx, dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return infos, nil
}

func totalBytes(blobs []statefile.Blob) int64 {
	var n int64
	for _, blob := range blobs {
		n += blob.Size
	}
	return n
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// openBlobs makes the folder of blobs, removes what runs that were killed have
// left there, and tells of the parts of wanted blobs that can be continued, which
// are this run's from then on.
func (s *site) openBlobs(ctx context.Context, wanted []statefile.Blob) (found, error) {
	const script = `
umask 077
mkdir -p "$1" && cd "$1" || exit
command -v tar >/dev/null && echo tar || echo no tar
command -v gzip >/dev/null && echo gzip || echo no gzip
echo "$(ulimit -f)"
for f in "$2"*; do
	[ -f "$f" ] && [ ! -L "$f" ] || continue
	part=$4${f##*-}
	[ "$f" = "$part" ] || mv -f "$f" "$part" && wc -c "$part"
done
find . -maxdepth 1 -name "$3*" -mtime +0 -exec rm -f {} +
`
	out, err := s.script(ctx, "make folders", script, s.blobs(), s.temporaryPrefix(), temporary, s.partPrefix())
	if err != nil {
		return found{}, err
	}
	f, garbage := parseFound(out, s.partPrefix(), wanted)
	for names := range slices.Chunk(garbage, batchFiles) {
		if _, err := s.script(ctx, "remove temporary files", `cd "$1" && shift && rm -f "$@"`, append([]string{s.blobs()}, names...)...); err != nil {
			return found{}, err
		}
	}
	s.mu.Lock()
	s.gzip = f.gzip
	s.mu.Unlock()
	return f, nil
}

// mayPack says whether archives are within the limit of a file that ulimit prints.
func mayPack(limit string) bool {
	blocks, err := strconv.ParseInt(limit, 10, 64)
	return err != nil || blocks >= archiveBytes/512 // else it is "unlimited"
}

// parseFound reads what openBlobs prints, and gives the files to remove.
func parseFound(out, prefix string, wanted []statefile.Blob) (f found, garbage []string) {
	sizes := map[string]int64{}
	for _, blob := range wanted {
		sizes[blob.Digest] = blob.Size
	}
	f.parts = map[string]map[form]int64{}
	for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		switch {
		case i == 0:
			f.tar = line == "tar"
		case i == 1:
			f.gzip = line == "gzip"
		case i == 2:
			f.tar = f.tar && mayPack(line)
		default:
			text, name, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
			size, err := strconv.ParseInt(text, 10, 64)
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			digest, ok := f.parsePart(name, prefix, size)
			if err != nil || !ok || size < resumeBlock || size > sizes[digest] {
				delete(f.parts, digest)
				garbage = append(garbage, name)
			}
		}
	}
	return f, garbage
}

// removeTemporary removes what was not put in its place from a folder. What
// another state has there may be in use right now, unless it is a day old by
// the device's clock.
func (s *site) removeTemporary(ctx context.Context, dir string) error {
	const script = `
cd "$1" 2>/dev/null || exit 0
rm -f "$2"*
find . -maxdepth 1 -name "$3*" -mtime +0 -exec rm -f {} +
`
	_, err := s.script(ctx, "remove temporary files", script, dir, s.temporaryPrefix(), temporary)
	return err
}

// remove deletes a file; one that is not there is no error.
func (s *site) remove(ctx context.Context, file string) error {
	err := s.files(ctx, func(c *sftp.Client) error { return c.Remove(file) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", file, err)
}

// blobName is what errors call a blob.
func blobName(b statefile.Blob) string {
	if b.Name == b.Digest {
		return "weight " + b.Digest[:12]
	}
	return b.Name
}
