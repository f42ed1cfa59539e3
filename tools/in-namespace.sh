#!/bin/sh
# Owns the fence around tests that touch the kernel: a user, network and mount namespace of their own, with an empty
# /run, as any user. Usage: tools/in-namespace.sh COMMAND [ARGUMENT…]
set -eu
exec unshare --user --map-root-user --net --mount -- \
  sh -c 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"' sh "$@"
