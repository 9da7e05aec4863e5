#!/bin/sh
# A worker that runs nothing: it keeps the files that a real one keeps, so that
# tests see what the deployer does with it.
command=$1
shift
timeout=
while [ "${1#-}" != "$1" ]; do
	case $1 in
	-forget) shift ;;
	-timeout) timeout=$2; shift 2 ;;
	*) shift 2 ;;
	esac
done
dir=$1
status() { # the process is known where the running worker has one
	pid=$(cat "$dir/running" 2>/dev/null)
	old=false
	[ ! -e "$dir/old-key" ] || old=true
	printf '{"running":%s,"ready":%s,"pid":%s,"old_key":%s}\n' "$1" "$1" "${pid:-0}" "$old"
}
case $command in
key)
	[ -e "$dir" ] || { mkdir -p "${dir%/*}" && (umask 077; head -c 32 /dev/urandom | base64 >"$dir"); }
	cat "$dir"
	;;
start)
	(cd "$dir" && sha256sum -c SHA256SUMS >/dev/null) || { echo "damaged" >&2; exit 1; }
	[ -s "$dir/manifest.json" ] && [ -s "$dir/peers.json" ] || exit 1
	if [ -e "$HOME/refuse-start" ]; then
		echo '{"running":false,"ready":false,"log":"'"$(cat "$HOME/refuse-start")"'"}'
		echo "the worker ended at once" >&2
		exit 1
	fi
	echo 0 >"$dir/worker.lock"
	rm -f "$dir/old-key"
	[ -e "$HOME/end-once-ready" ] && { status false; exit; }
	echo $$ >"$dir/running"
	status true
	;;
guard)
	echo armed
	while read -r word; do
		[ "$word" = done ] && exit 0
		echo armed
	done
	[ "$(readlink "$dir/../../current")" != "releases/${dir##*/}" ] || touch "$dir/running"
	;;
stop) rm -f "$dir/running" ;;
status) if [ -e "$dir/running" ]; then status true; else status false; fi ;;
proxy) [ -e "$dir/running" ] || { echo "no worker answers in $dir" >&2; exit 1; }; exec cat ;;
esac
