#!/bin/sh
# Owns how the addon is built: build/heddle.node at the root of the project, anew only when a source is newer.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
target=$root/build/heddle.node

if [ -f "$target" ] && [ -z "$(find "$here" \( -name '*.[ch]' -o -name build.sh \) -newer "$target" -print -quit)" ]; then
  exit 0
fi

node=${NODE:-$root/node_modules/.bin/node}
include=$("$node" -p 'require("node:path").join(process.execPath, "../../include/node")')
mkdir -p "$root/build"
# Written beside and renamed: a process that has the old one mapped keeps it, and two builds at once do no harm.
partial=$(mktemp "$root/build/heddle.node.XXXXXX")
trap 'rm -f "$partial"' EXIT
# -isystem: warnings are for our sources, not for Node's headers.
"${CC:-cc}" -std=c11 -Wall -Wextra -Wconversion -Werror -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
  -fvisibility=hidden -fPIC -shared -pthread -D_GNU_SOURCE -Wl,-z,relro,-z,now \
  -isystem "$include" -o "$partial" "$here"/*.c
chmod 755 "$partial"
mv -f "$partial" "$target"
