#!/bin/sh
# Owns one run of the real ibacm, in a mount namespace whose /run is its own: it is asked for the way from each address to the
# next, by ib_acme, which has the subnet administrator confirm the answer. ask-ibacm.sh ROOT FOLDER [FLAG…] FROM TO…
set -eu
root=$1 folder=$2
shift 2
mount -t tmpfs run /run
LD_PRELOAD="$PRELOADED" "$root/usr/sbin/ibacm" -P -A "$folder/addresses" -O "$folder/options" >"$folder/log" 2>&1 &
ibacm=$!
trap 'kill $ibacm' EXIT
until [ -S /run/ibacm-unix.sock ]; do
  kill -0 $ibacm || { cat "$folder/log" >&2; exit 1; }
  sleep 0.05
done
while [ $# -gt 1 ]; do
  # -c: only what ibacm knows without asking others.
  flag=-v
  case $1 in -c) flag=-c && shift ;; esac
  "$root/usr/bin/ib_acme" -f i -s "$1" -d "$2" $flag -S /run/ibacm-unix.sock || echo "failed $?"
  shift 2
done
