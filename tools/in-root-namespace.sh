#!/bin/sh
# Owns the fence around tests that need real root: a network and mount namespace of their own, with an empty /run.
# Usage: tools/in-root-namespace.sh COMMAND [ARGUMENT…]
set -eu
exec unshare --net --mount -- sh -c 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"' sh "$@"
