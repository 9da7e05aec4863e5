package deployer

// leaseFunctions keep a lease in edgeplan's folder, which they work in. It is the
// file lease.N with the highest N, made by a hard link, which exists whole or not
// at all; where the file system has no links, by the shell's exclusive creation.
// Whoever takes a dead lease makes N+1, so of two only one succeeds.
//
// Time is what the kernel says since it started ($clock/uptime), which no change
// of the clock moves. A lease of an earlier start has its time once more: its
// holder may reach the device again.
const leaseFunctions = `
now=0 boot=unknown
read -r now rest <"$clock/uptime" && now=${now%%.*}
read -r boot <"$clock/sys/kernel/random/boot_id"
numbered() {
	n=${1#lease.}
	case $n in '' | *[!0-9]* | 0* | ??????????*) return 1 ;; esac
}
highest() {
	found= number=0
	for f in lease.*; do
		if numbered "$f" && [ "$n" -gt "$number" ]; then found=$f number=$n; fi
	done
}
field() { sed -n "s/^$1=//p" "$2" 2>/dev/null | head -n 1; }
number_of() { v=$(field "$1" "$2"); case $v in '' | *[!0-9]* | ??????????*) v=0 ;; esac; }
# left gives the seconds that a lease still has in $seconds; 0 is a dead one.
left() {
	number_of seconds "$1"; ttl=$v
	number_of at "$1"; at=$v
	seconds=$ttl
	if [ "$(field boot "$1")" = "$boot" ] && [ "$at" -le "$now" ]; then
		seconds=$((ttl - now + at))
	else
		seconds=$((ttl - now))
	fi
	[ "$seconds" -gt 0 ] || seconds=0
}
# alive says whether a lease is somebody else's and not over.
alive() {
	left "$1"
	[ "$seconds" -gt 0 ] || return 1
	[ -z "$owner" ] || [ "$(field owner "$1")" != "$owner" ]
}
# others says whether there is another lease that is in the way of $mine.
others() {
	for f in lease.*; do
		if [ "$f" != "$mine" ] && [ "$f" != "$dead" ] && numbered "$f" && alive "$f"; then return 0; fi
	done
	return 1
}
write_lease() {
	umask 077
	printf 'token=%s\nowner=%s\nwho=%s\noperation=%s\nseconds=%s\nsince=%s\nboot=%s\nat=%s\n' \
		"$token" "$owner" "$who" "$operation" "$ttl_wanted" "${since:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}" "$boot" "$now" >"$1"
}
# settled waits for a lease that is just being written.
settled() {
	for i in 1 2; do
		[ -e "$1" ] && [ -z "$(field at "$1")" ] || return 0
		sleep 1
	done
}
create() {
	ln "$1" "$2" 2>/dev/null || { [ ! -e "$2" ] && (set -C; cat "$1" >"$2") 2>/dev/null; }
}
`

// lookLeaseScript prints the seconds that the lease of folder $2 still has, and
// the lease; nothing when there is none. It changes nothing.
const lookLeaseScript = `clock=$1
cd "$2" 2>/dev/null || exit 0
` + leaseFunctions + `
highest
[ -n "$found" ] || exit 0
settled "$found"
left "$found"
echo "left=$seconds"
cat "$found" 2>/dev/null || :
`

// takeLeaseScript takes the lease, and prints its name, or "held", the seconds
// that its holder still has, and the lease. A lease of one's own owner is dead:
// the lock of the state says that its run is over.
const takeLeaseScript = `clock=$1 root=$2 token=$3 owner=$4 who=$5 operation=$6 ttl_wanted=$7 temporary=$8 since=
umask 077
mkdir -p "$root" && cd "$root" || exit 1
` + leaseFunctions + `
trap 'rm -f "$temporary"' EXIT
write_lease "$temporary" || exit 1
for attempt in 1 2 3; do
	highest
	if [ -n "$found" ]; then
		settled "$found"
		if alive "$found"; then
			echo held
			echo "left=$seconds"
			cat "$found"
			exit 0
		fi
	fi
	dead=$found mine=lease.$((number + 1))
	create "$temporary" "$mine" || continue
	if others; then
		rm -f "$mine" # somebody else took one in the same moment
		continue
	fi
	for f in lease.*; do
		if numbered "$f" && [ "$f" != "$mine" ]; then rm -f "$f"; fi
	done
	echo "$mine"
	exit 0
done
echo "others take and give back the lease in $root all the time" >&2
exit 1
`

// renewLeaseScript gives a lease its whole time again, and prints "renewed", or
// "lost" and the lease that there is instead.
const renewLeaseScript = `clock=$1 root=$2 token=$3 owner=$4 who=$5 operation=$6 ttl_wanted=$7 temporary=$8 mine=$9
lost() { echo lost; [ -z "$found" ] || { left "$found"; echo "left=$seconds"; cat "$found"; }; exit 0; }
found=
cd "$root" 2>/dev/null || { echo lost; exit 0; }
` + leaseFunctions + `
trap 'rm -f "$temporary"' EXIT
highest
[ "$found" = "$mine" ] && [ "$(field token "$mine")" = "$token" ] || lost
since=$(field since "$mine")
write_lease "$temporary" && mv -f "$temporary" "$mine" || exit 1
highest
[ "$found" = "$mine" ] || { rm -f "$mine"; lost; }
echo renewed
`

// dropLeaseScript gives a lease back. The folder goes as well when nothing else
// is in it.
const dropLeaseScript = `cd "$1" 2>/dev/null || exit 0
for f in lease.*; do
	if [ "$(sed -n 's/^token=//p' "$f" 2>/dev/null)" = "$2" ]; then rm -f "$f"; fi
done
rmdir "$1" 2>/dev/null || :
`
