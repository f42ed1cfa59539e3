#!/bin/sh
# Owns the fence around tests that need real root: a network and mount namespace of their own, with an empty /run. There the
# project is at /mnt as well, and the command begins there: tests run as users who may not go where it stands, as root's home.
# Usage: tools/in-root-namespace.sh COMMAND [ARGUMENT…], in the project.
set -eu
cd "$(dirname "$0")/.."
exec unshare --net --mount -- sh -c '
  mount -t tmpfs tmpfs /run && mount --bind "$0" /mnt && cd /mnt && ip link set lo up && PATH=/mnt/node_modules/.bin:$PATH exec "$@"
' "$PWD" "$@"
