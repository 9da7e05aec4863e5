package deployer

import (
	"context"
	"fmt"

	"github.com/pkg/sftp"
)

// settleScript unpacks what arrived ($2: as what, $3: the file), makes sure that
// it is on the disk, and prints its digests ($4: with which worker program). The
// kernel writes while it is hashed.
const settleScript = sumFunction + `
cd "$1" || exit
umask 077
as=$2 file=$3 by=$4
shift 4
case $as in
*gz) gzip -dc "$file.gz" >"$file.out" && mv -f "$file.out" "$file" && rm -f "$file.gz" || exit ;;
esac
case $as in
tar*) tar -xmf "$file" && rm -f "$file" || exit ;;
esac
{ sync "$@" 2>/dev/null || sync; } &
sum "$by" "$@"
wait
`

// settle unpacks a parcel on the device, flushes it and compares its digests.
func (u *uploading) settle(ctx context.Context, p parcel, form form) error {
	names := p.temporaries()
	sums, err := u.sumsOf(ctx, p, form)
	if err != nil {
		return fmt.Errorf("%s: %w", p.title(), err)
	}
	for i, name := range names {
		if blob := p.blobs[i]; sums[name] != blob.Digest {
			return fmt.Errorf("%s arrived damaged: its sha256 on the device is %q and should be %s; is its storage failing, or did the file change here since the plan was made?",
				blobName(blob), sums[name], blob.Digest)
		}
	}
	return nil
}

// sumsOf gives the digests of what arrived, by temporary name.
func (u *uploading) sumsOf(ctx context.Context, p parcel, form form) (map[string]string, error) {
	if sum, ok := u.sums.Load(p.name); ok {
		return map[string]string{p.name: sum.(string)}, nil
	}
	as := "file"
	if p.packed() {
		as = "tar"
	}
	program := u.helperProgram()
	if p.content() < receivedBytes {
		program = "" // starting it takes longer than sha256sum does
	}
	args := append([]string{"sh", "-c", settleScript, "unpack and hash", u.blobs(), as + string(form), p.name, program}, p.temporaries()...)
	out, err := u.runFor(ctx, u.o.AnswerTimeout+2*secondsFor(p.content()), args...)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	return sums, parseSums(out, sums)
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
			if !p.packed() {
				if err := c.Chmod(u.blob(name), modeOf(blob)); err != nil {
					return err
				}
			}
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
