package deployer

import (
	"context"
	"io/fs"
	"path"
	"strconv"
	"time"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/statefile"
)

// blobTime is the time of modification that a blob gets on a device. It follows from the
// digest, so that a list of files tells which of them were written to since: a change
// in place leaves the size as it may, and the time at the change. Even seconds, since
// some file systems know no others, from 2000 on, and over in 2008.
func blobTime(digest string) time.Time {
	const bits = 28
	n, err := strconv.ParseInt(digest[:min(bits/4, len(digest))], 16, 64)
	if err != nil {
		n = 0
	}
	return time.Unix(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()+n&^1, 0)
}

// stampedFunction says whether the file $1 has the time of modification of the digest $2
// (blobTime). What is no digest never gets into the arithmetic, which would run it.
const stampedFunction = `
stamped() {
	head=$(printf %.7s "$2")
	case $head in
	*[!0-9a-f]*) return 1 ;;
	???????) [ "$(stat -c %Y "$1" 2>/dev/null)" = $((946684800 + (0x$head & ~1))) ] ;;
	*) return 1 ;;
	esac
}
`

// stamp gives the blobs of a release, which were hashed there, their times. Not before
// they have their names: temporary files that look a day old are anybody's to remove. Where the
// file system or the server does not keep times, every look at them hashes them anew.
// Files that were written to since they were listed, which was before they were hashed,
// are left as they are; nil is a folder that nobody else knows.
func (s *site) stamp(ctx context.Context, dir string, blobs []statefile.Blob, listed []fs.FileInfo) error {
	if len(blobs) == 0 {
		return nil
	}
	infos, err := s.list(ctx, dir)
	if err != nil {
		return err
	}
	there, before := byName(infos), byName(listed)
	var names []string
	digests := map[string]string{}
	for _, blob := range blobs {
		info := there[blob.Name]
		if info == nil || listed != nil && (before[blob.Name] == nil || !before[blob.Name].ModTime().Equal(info.ModTime())) {
			continue
		}
		if !info.ModTime().Equal(blobTime(blob.Digest)) {
			names, digests[blob.Name] = append(names, blob.Name), blob.Digest
		}
	}
	return eachOrNone(ctx, names, renameAtOnce, func(ctx context.Context, name string) error {
		return s.setTime(ctx, path.Join(dir, name), digests[name])
	})
}

func byName(infos []fs.FileInfo) map[string]fs.FileInfo {
	there := map[string]fs.FileInfo{}
	for _, info := range infos {
		there[info.Name()] = info
	}
	return there
}

// setTime fails only where the connection does.
func (s *site) setTime(ctx context.Context, file, digest string) error {
	at := blobTime(digest)
	err := s.files(ctx, func(c *sftp.Client) error { return c.Chtimes(file, at, at) })
	if s.gone(err) {
		return err
	}
	return nil
}
