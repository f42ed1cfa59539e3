#!/bin/sh
# Owns the host that the boot test of gateways is about: links inside and outside, and a file with failover, whose other
# gateway is nowhere. Usage: prepare-gateway.sh ROOT, in the machine's network namespace, before it boots.
set -eu
root=$1
units=$root/etc/systemd/system

ip link set lo up
for name in ib0 eth9; do
  ip link add "$name" type veth peer name "far-$name"
  ip link set "far-$name" up
done
printf '[Match]\nName=ib0\n[Network]\nIPv6AcceptRA=no\nAddress=10.20.3.1/16\n' >"$root/etc/systemd/network/10-ib0.network"
printf '[Match]\nName=eth9\n[Network]\nIPv6AcceptRA=no\nAddress=140.181.2.51/24\nGateway=140.181.2.1\n' >"$root/etc/systemd/network/10-eth9.network"
mkdir -p "$units/network-online.target.wants"
ln -s /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
ln -s /lib/systemd/system/systemd-networkd-wait-online.service "$units/network-online.target.wants/"

mkdir -p "$root/etc/heddle"
cat >"$root/etc/heddle/heddle.yaml" <<END
version: 1
gateway:
  alinat:
    inside: ib0
    outside: eth9
    nat: { to: 140.181.2.40 }
    failover:
      address: 10.20.3.227/16
      id: 51
      interval: 1s
      nodes: [{ inside: 10.20.3.1, outside: 140.181.2.51 }, { inside: 10.20.3.2, outside: 140.181.2.52 }]
END
chroot "$root" /opt/heddle/bin/heddle install --root / >"$root/run/install.log" 2>&1
