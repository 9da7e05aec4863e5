package gift

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
)

// Fetch is what a device without a worker program runs to get one: a script for bash, with the
// folder of blobs, the name of the part file, host, port and size as arguments. The secret, in
// hexadecimal, is the one line on its standard input. It reports as `edgeplan-worker take` does.
//
// There is no TLS, for nothing on every device speaks it. The secret is proven by a digest
// over a nonce of the giver, so that it does not travel; the program is no secret, and the
// operator knows its digest.
const Fetch = `
fail() {
	echo "$1" >&2
	exit 1
}
cd "$1" || exit
umask 077
read -r secret || fail "the secret did not come"
exec 3<>"/dev/tcp/$3/$4" || fail "the other device is not reached"
read -r -t 15 -u 3 nonce || fail "the other device did not ask for the secret"
proof=$(printf '%s%s' "$nonce" "$secret" | sha256sum) || fail "sha256sum failed"
printf '%s\n' "${proof%% *}" >&3 || fail "the other device has gone"
rm -f "$2" || exit
set -o noclobber
: >"$2" || exit
head -c "$5" <&3 >>"$2" &
trap 'kill $! 2>/dev/null' EXIT
while kill -0 $! 2>/dev/null; do
	sleep 1
	printf '{"bytes":%s}\n' "$(wc -c <"$2")" || exit
done
wait $! && trap - EXIT || fail "what came could not be written"
[ "$(wc -c <"$2")" = "$5" ] || fail "the other device stopped in the middle"
printf '{"bytes":%s,"done":true}\n' "$5"
`

// CanFetch is a script for any shell that says "yes" where Fetch works.
const CanFetch = `
command -v bash >/dev/null && case $(LC_ALL=C bash -c 'exec 3<>/dev/tcp/127.0.0.1/1' 2>&1) in
*[Nn]"o such file"*) ;;
*) command -v head >/dev/null && command -v sha256sum >/dev/null && echo yes ;;
esac
exit 0
`

// giveItself gives the program that runs to whoever knows the secret. Nothing else goes there
// without TLS.
func giveItself(ctx context.Context, root *os.Root, request GiveRequest, out io.Writer) error {
	if err := isItself(root, request.Files); err != nil {
		return err
	}
	listener, err := peer.Listen(request.Itself.Host, request.Itself.Port)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := json.NewEncoder(out).Encode(Report{Port: listener.Addr().(*net.TCPAddr).Port}); err != nil {
		return err
	}
	conn, err := peer.Await(ctx, listener, challenge(request.Secret))
	if err != nil {
		return fmt.Errorf("the other device did not come: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := giveOne(conn, root, request.Files[0]); err != nil {
		return cutOr(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(drain))
	_, _ = io.Copy(io.Discard, conn) // until the other end has read all and closes it
	return nil
}

// isItself refuses all but the program that runs.
func isItself(root *os.Root, files []File) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	own, err := os.Stat(program)
	if err != nil {
		return err
	}
	asked, err := root.Lstat(files[0].Digest)
	if err != nil {
		return err
	}
	if len(files) != 1 || !os.SameFile(own, asked) {
		return errors.New("only the worker program that runs is given without TLS")
	}
	return nil
}

// challenge lets in who proves the secret on a nonce, in lines that a shell can read and write.
func challenge(secret []byte) peer.Greet {
	return func(conn net.Conn) (net.Conn, error) {
		_ = conn.SetDeadline(time.Now().Add(peer.GreetTimeout))
		nonce := hex.EncodeToString(NewSecret())
		if _, err := io.WriteString(conn, nonce+"\n"); err != nil {
			return nil, err
		}
		line, err := bufio.NewReader(io.LimitReader(conn, 2*sha256.Size+1)).ReadString('\n')
		if err != nil {
			return nil, err
		}
		proof := sha256.Sum256([]byte(nonce + hex.EncodeToString(secret)))
		if !hmac.Equal([]byte(strings.TrimSuffix(line, "\n")), []byte(hex.EncodeToString(proof[:]))) {
			return nil, peer.ErrStranger
		}
		return conn, conn.SetDeadline(time.Time{})
	}
}
