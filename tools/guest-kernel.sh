#!/bin/sh
# Owns stock kernels for tests in virtual machines: `guest-kernel.sh SERIES [MODULE…]` has Debian's kernel of a series (5.10,
# 6.1, 6.12) in build/guests/SERIES, as vmlinuz, and the modules with what they need in modules/, in the order in which
# they are to be loaded; without any, those of test/kernels. It is unpacked there and never installed; needs no root.
set -eu
cd "$(dirname "$0")/.."
series=$1
shift
[ $# -gt 0 ] || set -- veth 8021q sch_ingress cls_bpf vrf
[ "$(dpkg --print-architecture)" = amd64 ] || {
  echo "Guests with stock kernels are made for x86_64 only." >&2
  exit 0
}
place=$PWD/build/guests/$series
# Those modules are there already.
[ "$(cat "$place/complete" 2>/dev/null)" != "$*" ] || exit 0

echo "Unpacking Debian's kernel $series…" >&2
rm -rf "$place"
mkdir -p "$place/deb" "$place/from" "$place/modules"
log=$place/log
trap 'cat "$log" >&2' EXIT

# Debian 12 has some of them; the others' releases are asked through lists of their own, and the machine's stay as they are.
case $series in
5.10)
  options="-o Dir::State=$place/apt -o Dir::Cache=$place/apt -o Dir::Etc::sourcelist=$place/apt/sources -o Dir::Etc::sourceparts=-"
  options="$options -o Dir::State::status=/var/lib/dpkg/status -o Debug::NoLocking=1"
  mkdir -p "$place/apt/lists/partial" "$place/apt/archives/partial"
  for suite in 'debian bullseye' 'debian-security bullseye-security'; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/$suite main"
  done >"$place/apt/sources"
  # shellcheck disable=SC2086 # a list of words
  apt-get $options update >>"$log" 2>&1
  ;;
*) options='-o Debug::NoLocking=1' ;;
esac
fetch() {
  # The kernel for clouds has what tests need, and half the size.
  # shellcheck disable=SC2086 # a list of words
  package=$(apt-cache $options pkgnames "linux-image-$series." | grep -E -- '[0-9](\+deb[0-9]+)?-cloud-amd64$' | sort -V | tail -n 1) &&
    [ -n "$package" ] && (cd "$place/deb" && apt-get $options download "$package") >>"$log" 2>&1
}
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 && fetch; } || {
  echo "Debian's kernel $series cannot be fetched; Debian 12 has 6.12 in bookworm-security. Run \`apt-get update\` as root, then start again." >&2
  exit 1
}
dpkg-deb -x "$place"/deb/*.deb "$place/from"

cp "$place"/from/boot/vmlinuz-* "$place/vmlinuz"
version=$(ls "$place/from/lib/modules")
busybox depmod -b "$place/from" "$version" 2>>"$log"
number=100
for module; do
  # What it needs stands behind it, the first thing last. What is part of the kernel has no line.
  line=$(grep -E "(^|/)$module\.ko(\.xz)?:" "$place/from/lib/modules/$version/modules.dep" || true)
  for file in $(echo "$line" | tr -d : | tr ' ' '\n' | tac); do
    name=$(basename "$file" | sed 's/\.ko.*//')
    [ -z "$(find "$place/modules" -name "*-$name.ko")" ] || continue
    number=$((number + 1))
    case $file in
    *.xz) xz -dc "$place/from/lib/modules/$version/$file" >"$place/modules/$number-$name.ko" ;;
    *) cp "$place/from/lib/modules/$version/$file" "$place/modules/$number-$name.ko" ;;
    esac
  done
done
trap - EXIT
rm -rf "$place/deb" "$place/from" "$place/apt"
echo "$*" >"$place/complete"
