#!/bin/sh
# Owns how the BPF programs are built: build/bpf/NAME.o of native/bpf/NAME.bpf.c, anew only when a source is newer.
# `build.sh SOURCE FOLDER NAME [FLAG…]` builds one program of somewhere else to FOLDER/NAME.o.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
machine=$(uname -m)

build() { # SOURCE TARGET [FLAG…]
  source=$1 target=$2
  shift 2
  newer=$(find "$source" "$here"/*.h "$here/build.sh" -newer "$target" -print -quit 2>/dev/null || echo missing)
  [ ! -f "$target" ] || [ -n "$newer" ] || return 0
  # Written beside and renamed, so that nobody reads half an object.
  partial=$(mktemp "$target.XXXXXX")
  trap 'rm -f "$partial"' EXIT
  # The kernel's own headers lie in two places on Debian, in one elsewhere.
  "${CLANG:-clang}" -target bpf -O2 -std=gnu11 -Wall -Wextra -Wno-unused-variable -Wno-unused-const-variable -Werror \
    "$@" -I"$here" -isystem /usr/include -isystem "/usr/include/$machine-linux-gnu" -c "$source" -o "$partial"
  chmod 644 "$partial"
  mv -f "$partial" "$target"
}

if [ $# -gt 0 ]; then
  source=$1 folder=$2 name=$3
  shift 3
  mkdir -p "$folder"
  build "$source" "$folder/$name.o" "$@"
  exit
fi
mkdir -p "$root/build/bpf"
for source in "$here"/*.bpf.c; do
  build "$source" "$root/build/bpf/$(basename "$source" .bpf.c).o"
done
