#!/bin/sh
# Owns the stage on which a test runs another network manager: usr, etc, run, var/lib and sys of its own, in the network
# namespace that it is started in. Usage, in a mount namespace of one's own: stage.sh TREE, where TREE has the files to lay
# over etc and usr. Says "ready" and stays until its input ends. The managers are those that tools/managers.sh unpacked.
set -eu
tree=$1
managers=$(dirname "$(readlink -f "$0")")/../build/managers/root

mkdir -p "$tree/usr"
mount -t overlay overlay -o "lowerdir=$tree/usr:$managers/usr:/usr" /usr
mount -t tmpfs -o mode=755 tmpfs /run
etc=/run/etc
mkdir "$etc"
mount -t tmpfs -o mode=755 tmpfs "$etc"
for name in passwd group nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d alternatives; do
  [ ! -e "/etc/$name" ] || cp -a "/etc/$name" "$etc/" 2>/dev/null || cp -r "/etc/$name" "$etc/"
done
# networkd gives root up for this user, and here there is none but root.
sed -i '/^systemd-network:/d' "$etc/passwd"
echo 'systemd-network:x:0:0::/:/bin/false' >>"$etc/passwd"
echo 0123456789abcdef0123456789abcdef >"$etc/machine-id"
mkdir -p "$etc/network/if-pre-up.d" "$etc/network/if-up.d" "$etc/network/if-down.d" "$etc/network/if-post-down.d"
[ ! -d "$tree/etc" ] || cp -rp "$tree/etc/." "$etc/"
mount --move "$etc" /etc 2>/dev/null || mount --bind "$etc" /etc
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=755 tmpfs /var/cache
mkdir /var/cache/ldconfig
# netplan looks its library up in the cache.
ldconfig -X
# Managers ask udev about each link where /sys can be written to.
mount -t sysfs -o ro sysfs /sys
echo ready
exec cat >/dev/null
