#!/bin/sh
# Owns how the BPF programs are built: build/bpf/NAME.o of native/bpf/NAME.bpf.c, anew only when a source is newer.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
machine=$(uname -m)
mkdir -p "$root/build/bpf"
for source in "$here"/*.bpf.c; do
  name=$(basename "$source" .bpf.c)
  target=$root/build/bpf/$name.o
  newer=$(find "$source" "$here"/*.h "$here/build.sh" -newer "$target" -print -quit 2>/dev/null || echo missing)
  [ ! -f "$target" ] || [ -n "$newer" ] || continue
  # Written beside and renamed, so that nobody reads half an object.
  partial=$(mktemp "$root/build/bpf/$name.o.XXXXXX")
  trap 'rm -f "$partial"' EXIT
  # The kernel's own headers lie in two places on Debian, in one elsewhere.
  "${CLANG:-clang}" -target bpf -O2 -std=gnu11 -Wall -Wextra -Wno-unused-variable -Wno-unused-const-variable -Werror \
    -I"$here" -isystem /usr/include -isystem "/usr/include/$machine-linux-gnu" -c "$source" -o "$partial"
  chmod 644 "$partial"
  mv -f "$partial" "$target"
done
