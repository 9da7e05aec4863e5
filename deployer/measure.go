package deployer

import (
	"context"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// measureScript prints what changes on a device by itself: its clock, the C
// library, memory in all and available, limits of control groups and of files, the sockets
// that listen, as the kernel tells of them, and what starts workers after a reboot.
// It changes nothing.
const measureScript = supervisionScript + `
echo "clock $(date +%s)"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || for l in /lib/ld-musl-*; do [ -e "$l" ] && libc=musl; done
echo "libc $libc"
sed -n 's/^\(MemTotal\|MemAvailable\|SwapFree\): *\([0-9]*\) kB$/memory \1 \2/p' /proc/meminfo 2>/dev/null
sed -n 's/^Max file size *\([0-9][0-9]*\) .*/filesize \1/p' /proc/self/limits 2>/dev/null
group() {
	d=$1$2
	while [ -n "$d" ] && [ "$d" != / ]; do
		if [ -r "$d/$3" ] && [ -r "$d/$4" ]; then
			read -r limit <"$d/$3"
			read -r used <"$d/$4"
			echo "cgroup $limit $used $(sed -n "s/^$5 //p" "$d/memory.stat" 2>/dev/null)"
		fi
		[ "$d" = "$1" ] && break
		d=${d%/*}
	done
}
group /sys/fs/cgroup "$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null)" memory.max memory.current inactive_file
group /sys/fs/cgroup/memory "$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup 2>/dev/null)" memory.limit_in_bytes memory.usage_in_bytes total_inactive_file
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | sed -n 's/^ *[0-9]*: \([0-9A-F]*:[0-9A-F]*\) [0-9A-F]*:[0-9A-F]* 0A .*/socket \1 &/p' | while read -r word where sl local remote state queues timer retransmit uid timeout inode rest; do
	echo "$word $where $inode"
done
exit 0
`

// measured is what measureScript found.
type measured struct {
	skew      time.Duration // the device's clock less ours
	clock     bool          // whether it told
	libc      string        // "glibc 2.36", "musl", or ""
	total     int64         // bytes of memory, also by control groups; 0 when it does not tell
	available int64         // bytes of memory that can be had, swap included
	fileSize  int64         // bytes of a file at most; 0 is any
	sockets   []socket

	supervision worker.Supervision // "" when it does not tell
	note        string             // on supervision
}

// socket is one that listens.
type socket struct {
	address netip.AddrPort
	inode   string
}

func (s *site) measure(ctx context.Context) (measured, error) {
	before := time.Now()
	out, err := s.script(ctx, "measure", measureScript)
	if err != nil {
		return measured{}, err
	}
	return parseMeasured(out, before, time.Now()), nil
}

// parseMeasured reads what measureScript printed between two moments; lines that
// make no sense are left out. The clock is taken to have been read between them.
func parseMeasured(out string, before, after time.Time) measured {
	var m measured
	memory := map[string]int64{}
	limited := int64(-1)
	for line := range strings.Lines(out) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		fields := strings.Fields(rest)
		switch {
		case word == "clock" && len(fields) == 1:
			if seconds, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
				m.skew, m.clock = skew(seconds, before, after), true
			}
		case word == "libc":
			m.libc = oneLine(rest)
		case word == "memory" && len(fields) == 2:
			memory[fields[0]] = kibibytes(fields[1])
		case word == "cgroup" && len(fields) >= 2:
			if left, limit, ok := groupMemory(fields); ok {
				limited = max(0, lowest(limited, left))
				m.total = lowest(m.total, limit)
			}
		case word == "filesize" && len(fields) == 1:
			m.fileSize, _ = strconv.ParseInt(fields[0], 10, 64) // more than that is no limit
		case word == "supervision":
			m.supervision, m.note = parseSupervision(fields)
		case word == "socket" && len(fields) == 2:
			if address, ok := parseSocket(fields[0]); ok {
				m.sockets = append(m.sockets, socket{address, fields[1]})
			}
		}
	}
	if memory["MemTotal"] > 0 {
		m.total = lowest(m.total, memory["MemTotal"]+memory["SwapFree"])
		m.available = lowest(limited, memory["MemAvailable"]+memory["SwapFree"])
	}
	return m
}

// skew is how far a clock that was read between two moments is off at least.
func skew(seconds int64, before, after time.Time) time.Duration {
	read := time.Unix(seconds, 0)
	switch {
	case read.Add(time.Second).Before(before):
		return read.Sub(before)
	case read.After(after):
		return read.Sub(after)
	}
	return 0
}

func kibibytes(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return 0
	}
	return n << 10
}

// lowest is the lower of a limit and another; one of 0 or less is none yet.
func lowest(limit, other int64) int64 {
	if limit <= 0 || other < limit {
		return other
	}
	return limit
}

// groupMemory reads limit, usage and pages of files that can be dropped.
func groupMemory(fields []string) (left, limit int64, ok bool) {
	limit, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || limit <= 0 || limit > 1<<60 { // "max", or version 1's way to say so
		return 0, 0, false
	}
	used, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if len(fields) > 2 {
		if pages, err := strconv.ParseInt(fields[2], 10, 64); err == nil && pages <= used {
			used -= pages
		}
	}
	return limit - used, limit, true
}

// parseSocket reads an address of /proc/net/tcp: 32-bit words of a little-endian
// machine, and the port.
func parseSocket(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	raw, err1 := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	address, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), ok
}
