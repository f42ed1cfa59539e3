#!/bin/sh
# Owns the host that the boot test is about: two cards in one subnet under networkd, and a Slurm daemon that writes down
# what it finds when it begins. Usage: prepare.sh ROOT, in the machine's network namespace, before it boots.
set -eu
root=$1
units=$root/etc/systemd/system

ip link set lo up
for name in ib0 ib1; do
  ip link add "$name" type veth peer name "far-$name"
  ip link set "far-$name" up
done
printf '[Match]\nName=ib0\n[Network]\nIPv6AcceptRA=no\nAddress=172.16.34.1/16\n' >"$root/etc/systemd/network/10-ib0.network"
printf '[Match]\nName=ib1\n[Network]\nIPv6AcceptRA=no\nAddress=172.16.34.2/16\n' >"$root/etc/systemd/network/10-ib1.network"
mkdir -p "$units/network-online.target.wants"
ln -s /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
ln -s /lib/systemd/system/systemd-networkd-wait-online.service "$units/network-online.target.wants/"

# As Debian's slurmd.service orders itself, which says nothing of heddle.
cat >"$units/slurmd.service" <<END
[Unit]
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip rule >/run/slurmd-saw'
END
ln -s ../slurmd.service "$units/multi-user.target.wants/"

mkdir -p "$root/etc/heddle"
printf 'version: 1\nmultihome: { ib: { links: [ib0, ib1] } }\n' >"$root/etc/heddle/heddle.yaml"
[ "${WITHOUT_HEDDLE:-}" ] || chroot "$root" /opt/heddle/bin/heddle install --one-shot --root / >"$root/run/install.log" 2>&1
