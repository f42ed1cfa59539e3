#!/bin/sh
# Owns the tests that touch a kernel. They run in namespaces of their own, and the host's own network is compared before
# and after: a test that reaches out of its fence fails here.
set -eu
cd "$(dirname "$0")/.."

if ! tools/in-namespace.sh true; then
  echo "Cannot make a user namespace, which the tests need (sysctl user.max_user_namespaces)." >&2
  exit 1
fi

tools/managers.sh
tools/ibacm.sh
for series in 6.1 6.12; do tools/guest-kernel.sh "$series"; done
tools/rdma-guest.sh

before=$(mktemp)
trap 'rm -f "$before"' EXIT
node tools/host-state.ts "$before"
tools/in-namespace.sh tools/vitest.sh --project net
if [ "$(id -u)" -eq 0 ]; then
  tools/in-root-namespace.sh tools/vitest.sh --project root
else
  echo "Not run: the tests that need root (BPF, control groups, other users, machines). Run make test as root for them." >&2
fi
node tools/host-state.ts --compare "$before"
