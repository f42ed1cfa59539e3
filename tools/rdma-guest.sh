#!/bin/sh
# Owns the guest that tests boot to have real RDMA programs on a stock kernel: Debian's kernel with rdma_rxe and Debian's
# rdmacm-utils, unpacked below build/rdma-guest and never installed. Needs no root. For x86_64.
set -eu
cd "$(dirname "$0")/.."
place=build/rdma-guest
[ ! -e "$place/complete" ] || exit 0
[ "$(dpkg --print-architecture)" = amd64 ] || {
  echo "The tests' guest with real RDMA programs is made for x86_64 only." >&2
  exit 0
}

echo "Making a guest for RDMA…" >&2
rm -rf "$place"
mkdir -p "$place/debs" "$place/from" "$place/root"
log=$place/log
trap 'cat "$log" >&2' EXIT

programs='mckey udaddy rdma'
modules='virtio_pci virtio_net rdma_rxe rdma_ucm ib_uverbs crc32_generic'
fetch() {
  kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }') && [ -n "$kernel" ] &&
    (cd "$place/debs" && apt-get download "$kernel" busybox-static rdmacm-utils ibverbs-providers libibverbs1 librdmacm1 \
      libnl-3-200 libnl-route-3-200 iproute2 libmnl0 libbsd0 libmd0 libcap2 libbpf1 libelf1 zlib1g libc6) >>"$log" 2>&1
}
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 && fetch; } || {
  echo "Debian's packages cannot be fetched. Run \`apt-get update\` as root, then start again." >&2
  exit 1
}
for deb in "$place"/debs/*.deb; do dpkg-deb -x "$deb" "$place/from"; done

from=$PWD/$place/from
root=$PWD/$place/root
busybox=$(find "$from" -path '*bin/busybox' -type f)
version=$(ls "$from/lib/modules")
mkdir -p "$root/bin" "$root/sbin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/lib/modules/$version" "$root/lib64"
cp "$busybox" "$root/bin/busybox"
# The kernel itself looks for it there.
ln -s ../bin/busybox "$root/sbin/modprobe"

# As an ELF file, so that the slow machine of an emulator need not unpack it.
image=$(ls "$from"/boot/vmlinuz-*)
start=$(grep -a -b -o "$(printf '\3757zXZ')" "$image" | head -n 1 | cut -d : -f 1)
# What follows the compressed kernel is no part of it, and is complained of.
tail -c "+$((start + 1))" "$image" | xz -dc --single-stream >"$place/vmlinux" 2>>"$log" || true
[ "$(head -c 4 "$place/vmlinux" | tail -c 3)" = ELF ] || {
  echo "No kernel was found in $image." >&2
  exit 1
}

# Those modules, and what they need. What is part of the kernel has no line.
"$busybox" depmod -b "$from" "$version" 2>>"$log"
needed() {
  grep "/$1\.ko:" "$from/lib/modules/$version/modules.dep" | tr -d : | tr ' ' '\n' | grep . || true
}
for module in $modules; do needed "$module"; done | sort -u | while read -r file; do
  mkdir -p "$root/lib/modules/$version/$(dirname "$file")"
  cp "$from/lib/modules/$version/$file" "$root/lib/modules/$version/$file"
done
cp "$from/lib/modules/$version/modules.builtin" "$root/lib/modules/$version/"
"$busybox" depmod -b "$root" "$version" 2>>"$log"

# The programs, with all libraries that they or other libraries name; one that is linked statically has none, which ldd
# calls a failure.
libraries=$from/usr/lib/x86_64-linux-gnu:$from/lib/x86_64-linux-gnu
mkdir -p "$root/usr/lib/x86_64-linux-gnu/libibverbs" "$root/etc/libibverbs.d"
cp "$from/etc/libibverbs.d/rxe.driver" "$root/etc/libibverbs.d/"
cp "$from"/usr/lib/x86_64-linux-gnu/libibverbs/librxe-*.so "$root/usr/lib/x86_64-linux-gnu/libibverbs/"
for program in $programs; do cp -L "$(find "$from" -path "*bin/$program" | head -n 1)" "$root/bin/"; done
for file in "$root"/bin/* "$root"/usr/lib/x86_64-linux-gnu/libibverbs/*; do
  LD_LIBRARY_PATH=$libraries ldd "$file" 2>/dev/null || true
done | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | while read -r library; do
  cp -L "$library" "$root/usr/lib/x86_64-linux-gnu/"
done
cp -L "$from/lib64/ld-linux-x86-64.so.2" "$root/lib64/"

cp tools/rdma-guest-init.sh "$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | "$busybox" cpio -o -H newc -R 0:0 2>>../log) >"$place/initramfs"
trap - EXIT
rm -r "$place/debs" "$place/from" "$place/root"
touch "$place/complete"
