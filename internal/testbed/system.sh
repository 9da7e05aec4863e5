# Boots systemd as the first process of its namespaces: $1 is a folder for the
# changes to this machine's file system, which stays as it is, and $2 one to share.
set -e
changes=$1 shared=$2 root=$1/root
mkdir -p "$changes/upper" "$changes/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$changes/upper,workdir=$changes/work" "$root"
mount -t proc proc "$root/proc"
for folder in dev run tmp var/tmp; do
	mount -t tmpfs tmpfs "$root/$folder"
done
while read -r node minor; do
	mknod -m 666 "$root/dev/$node" c 1 "$minor"
done <<-end
	null 3
	zero 5
	full 7
	random 8
	urandom 9
end
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts"
mount -t devpts -o ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t sysfs -o ro sysfs "$root/sys"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
	mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
	mkdir "$root/sys/fs/cgroup/memory" "$root/sys/fs/cgroup/systemd"
	mount -t cgroup -o memory cgroup "$root/sys/fs/cgroup/memory"
	mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mkdir -p "$root/srv/edgeplan"
mount --bind "$shared" "$root/srv/edgeplan"

# Nothing of this machine starts there, only what a test adds.
units=$root/etc/systemd/system
if [ ! -e "$changes/made" ]; then
	rm -rf "$units" "$root"/lib/systemd/system/*.wants
	mkdir "$units"
	for target in sysinit basic multi-user; do
		printf '[Unit]\nDescription=%s\nDefaultDependencies=no\nAllowIsolate=yes\n' $target >"$units/$target.target"
	done
	head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$root/etc/machine-id"
	touch "$changes/made"
fi
exec env -i container=edgeplan PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /lib/systemd/systemd --system --unit=multi-user.target
