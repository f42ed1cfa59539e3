#!/bin/sh
# Owns the real ibacm that tests ask for addresses, and what their verbs are compiled with: Debian's packages, unpacked below
# build/ibacm and never installed, because installing ibacm starts it. Needs no root.
set -eu
cd "$(dirname "$0")/.."
place=build/ibacm
[ ! -e "$place/complete" ] || exit 0

echo "Unpacking ibacm…" >&2
rm -rf "$place"
mkdir -p "$place/debs" "$place/root"
log=$place/log
trap 'cat "$log" >&2' EXIT

fetch() { (cd "$place/debs" && apt-get download ibacm libibverbs-dev) >>"$log" 2>&1; }
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 && fetch; } || {
  echo "Debian's packages cannot be fetched: ibacm libibverbs-dev. Run \`apt-get update\` as root, then start again." >&2
  exit 1
}
for deb in "$place"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$place/root" -f - 2>>"$log"
done
trap - EXIT
rm -r "$place/debs"
touch "$place/complete"
