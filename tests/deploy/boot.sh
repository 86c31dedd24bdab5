#!/bin/sh
# Boots systemd on a copy of this machine's files: `boot.sh FOLDER UNITS`, in namespaces of its own (unshare(1)).
# What is written in it goes to memory and is gone with it; of the units there are those in UNITS, and systemd's.
set -e
folder=$1 units=$2 root=$1/root
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"

rm -rf "$root/etc/systemd/system" "$root"/lib/systemd/system/*.target.wants "$root/etc/fstab"
cp -r "$units" "$root/etc/systemd/system"
: >"$root/etc/machine-id"

cd "$root"
mkdir former
pivot_root . former
umount -l /former
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null
