# The first process of a device: $1 is the folder of its files. It does what it is
# told on standard input, and the device ends with it.
dir=$1
mount -t tmpfs tmpfs /run && mkdir /run/sshd || exit 1
mount --bind "$dir/boot_id" /proc/sys/kernel/random/boot_id || exit 1
mount -o loop,errors=remount-ro "$dir/disk.img" "$dir/disk" || exit 1
mkdir -p "$dir/disk/home" || exit 1

# named tells the processes of a name.
named() {
	for process in /proc/[0-9]*; do
		read -r name <"$process/comm" && [ "$name" = "$1" ] && echo "${process#/proc/}"
	done 2>/dev/null
}

# cron runs the @reboot lines of the crontab as cron does, with next to no environment.
cron() {
	sed -n 's/^@reboot //p' "$dir/disk/crontab" 2>/dev/null | sed 's/\\%/%/g' | while read -r line; do
		(cd / && env -i HOME="$dir/disk/home" PATH=/usr/bin:/bin setsid sh -c "$line" </dev/null >/dev/null 2>&1)
	done
}

echo ready
while read -r command; do
	case $command in
	serve) /usr/sbin/sshd -f "$dir/sshd_config" -E "$dir/sshd.log" ;;
	unserve) kill -KILL $(named sshd) ;; # the listening one, and those of sessions
	cron) cron ;;
	freeze) kill -STOP -1 ;;
	abort) mount -o remount,abort "$dir/disk" ;; # what ext4 does when the medium fails
	esac </dev/null >/dev/null 2>>"$dir/init.log"
	echo done
done
