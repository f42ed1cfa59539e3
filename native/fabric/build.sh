#!/bin/sh
# Owns how the part of the model of a fabric is built that is loaded into OpenSM: build/umad-rmpp.so.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
mkdir -p "$root/build"
# Written beside and renamed: an OpenSM that has the old one mapped keeps it.
partial=$(mktemp "$root/build/umad-rmpp.so.XXXXXX")
trap 'rm -f "$partial"' EXIT
# It is bound when it is used: libibumad is OpenSM's, and comes with it.
"${CC:-cc}" -std=c11 -Wall -Wextra -Wconversion -Werror -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
  -fPIC -shared -pthread -D_GNU_SOURCE -Wl,-z,relro,-z,lazy -o "$partial" "$here"/umad-rmpp.c -ldl
chmod 755 "$partial"
mv -f "$partial" "$root/build/umad-rmpp.so"
