#!/bin/sh
# Owns the network managers that tests feed with exported files: Debian's packages, unpacked below build/managers and never
# installed, because installing one starts it, and it would take this machine's links over. Needs no root.
set -eu
cd "$(dirname "$0")/.."
place=build/managers
[ ! -e "$place/complete" ] || exit 0

echo "Unpacking network managers…" >&2
rm -rf "$place"
mkdir -p "$place/debs" "$place/root/usr/bin" "$place/root/usr/sbin" "$place/root/usr/lib"
log=$place/log
trap 'cat "$log" >&2' EXIT

# Those, and of what they need what this machine has not.
wanted='systemd netplan.io network-manager ifupdown networkd-dispatcher dbus-daemon'
list() {
  # shellcheck disable=SC2086 # a list of words
  apt-get -s -o Debug::NoLocking=1 install --no-install-recommends $wanted 2>>"$log" | awk '/^Inst / { print $2 }'
}
# Those that are installed already are unpacked as well, in the same version as what belongs to them.
fetch() {
  # shellcheck disable=SC2046,SC2086 # lists of words
  packages=$(printf '%s\n' $wanted $(list) | sort -u) && [ -n "$packages" ] &&
    (cd "$place/debs" && apt-get download $packages) >>"$log" 2>&1
}
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 && fetch; } || {
  echo "Debian's packages cannot be fetched: $wanted. Run \`apt-get update\` as root, then start again." >&2
  exit 1
}

# As Debian has it since 12, so that /lib/systemd and /usr/lib/systemd are one.
for name in bin sbin lib lib64; do ln -s "usr/$name" "$place/root/$name"; done
mkdir -p "$place/root/usr/lib64"
for deb in "$place"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$place/root" -f - 2>>"$log"
done
trap - EXIT
rm -r "$place/debs"
touch "$place/complete"
