package deployer

import (
	"context"
	"fmt"

	"github.com/pkg/sftp"
)

// settleScript unpacks what arrived by SFTP ($2: as what, $3: the file), gives it its mode ($5,
// which an archive has), makes sure that it is on the disk, and prints its digests ($4: with
// which worker program). The kernel writes while it is hashed. Whether sync takes files is asked of
// the folder: one that fails for a file must not pass for one that takes none.
const settleScript = sumFunction + flushingFunction + `
cd "$1" || exit
umask 077
as=$2 file=$3 by=$4 mode=$5
shift 5
case $as in
*gz) gzip -dc "$file.gz" >"$file.out" && mv -f "$file.out" "$file" && rm -f "$file.gz" || exit ;;
esac
case $as in
tar*) tar -xmf "$file" && rm -f "$file" || exit ;;
*) chmod "$mode" "$file" || exit ;;
esac
settle() {
	{ if sync . 2>/dev/null; then sync "$@"; else sync; fi; } &
	syncing=$!
	sum "$by" "$@"
	wait $syncing
}
flushing settle "$@"
`

// helpedBytes is from how many bytes on the worker program hashes what SFTP brought: starting it
// takes longer than sha256sum does for less.
const helpedBytes = 16 << 20

// hashed unpacks and flushes what SFTP brought, and gives its digests.
func (u *uploading) hashed(ctx context.Context, p parcel, form form) (map[string]string, error) {
	if err := take(ctx, u.settling); err != nil {
		return nil, err
	}
	defer func() { <-u.settling }()
	as, program := "file", u.helperProgram()
	if p.packed() {
		as = "tar"
	}
	if p.content() < helpedBytes {
		program = ""
	}
	args := append([]string{"sh", "-c", settleScript, "unpack and hash", u.blobs(), as + string(form), p.name, program,
		fmt.Sprintf("%o", modeOf(p.blobs[0]))}, p.temporaries()...)
	out, err := u.runFlushing(ctx, u.o.AnswerTimeout+2*secondsFor(p.content()), args...)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	return sums, parseSums(out, sums)
}

// compare compares the digests of what arrived with those that it should have.
func compare(p parcel, sums map[string]string) error {
	for i, name := range p.temporaries() {
		if blob := p.blobs[i]; sums[name] != blob.Digest {
			return fmt.Errorf("%s arrived damaged: its sha256 on the device is %q and should be %s; is its storage failing, or did the file change here since the plan was made?",
				blobName(blob), sums[name], blob.Digest)
		}
	}
	return nil
}

// place gives hashed files their names.
func (u *uploading) place(ctx context.Context, p parcel) error {
	names := p.temporaries()
	at := map[string]int{}
	for i, name := range names {
		at[name] = i
	}
	err := eachOrNone(ctx, names, renameAtOnce, func(ctx context.Context, name string) error {
		blob := p.blobs[at[name]]
		err := u.files(ctx, func(c *sftp.Client) error {
			return c.PosixRename(u.blob(name), u.blob(blob.Digest))
		})
		if err != nil {
			return fmt.Errorf("put %s in place: %w", blobName(blob), err)
		}
		u.markVerified(blob.Digest)
		return nil
	})
	if err == nil && p.isProgram() {
		u.employ(ctx, p.blobs[0])
	}
	return err
}
