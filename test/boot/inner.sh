#!/bin/sh
# Owns what the machine has when it boots: this machine's files, seen through an overlay that keeps what it writes to
# itself, /dev, /run and /etc of its own, and systemd as tools/managers.sh unpacked it. See outer.sh.
set -eu
place=$1 prepare=$2
managers=$(dirname "$(readlink -f "$0")")/../../build/managers/root

mount -t tmpfs tmpfs "$place"
root=$place/root
mkdir "$place/upper" "$place/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$root"
mount -t overlay overlay -o "lowerdir=$(readlink -f "$managers")/usr:/usr" "$root/usr"
cd "$root"
mount -t proc proc proc
# Read-only, as in every container: nothing here waits for udev.
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for name in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$name"; done
chmod 1777 tmp
# Where a program has its place: services have a /tmp of their own, in which the checkout may be.
mkdir -p opt/heddle
mount -o bind,ro "$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")" opt/heddle
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: >dev/console

# None of this machine's own services, and none of its links.
rm -rf etc/systemd/system etc/systemd/network etc/netplan etc/network
mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/network
echo 0123456789abcdef0123456789abcdef >etc/machine-id
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service systemd-logind.service \
  systemd-resolved.service dbus.service dbus.socket getty.target console-getty.service apt-daily.timer \
  apt-daily-upgrade.timer e2scrub_reap.service networking.service NetworkManager.service; do
  ln -s /dev/null "etc/systemd/system/$unit"
done
"$prepare" "$root"

mkdir old
pivot_root . old
umount -l /old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /usr/lib/systemd/systemd --unit=multi-user.target --log-target=journal </dev/null >/dev/console 2>&1
