#!/bin/sh
# Owns the tests that touch a kernel. They run in namespaces of their own, and the host's own network is compared before
# and after: a test that reaches out of its fence fails here.
set -eu
cd "$(dirname "$0")/.."

if ! tools/in-namespace.sh true 2>/dev/null; then
  echo "Cannot make a user namespace, which the tests need (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)." >&2
  exit 1
fi

before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
node tools/host-state.ts >"$before"
tools/in-namespace.sh vitest run --project net
if [ "$(id -u)" -eq 0 ]; then
  vitest run --project root
fi
node tools/host-state.ts >"$after"
if ! diff -u "$before" "$after"; then
  echo "The tests changed the host's own network." >&2
  exit 1
fi
