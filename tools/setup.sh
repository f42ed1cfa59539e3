#!/bin/sh
# Owns what a machine needs before heddle can be built and shown, and with --tests also tested: Debian packages, npm
# packages, Node 24. Installs what is missing when it is run by root, and names it exactly when it is not.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# One line each: a program that tells whether the package is there, and the package.
packages='
cc gcc
clang clang
ip iproute2
ping iputils-ping
nft nftables
iptables iptables
socat socat
setpriv util-linux
sysctl procps
'
# What only tests compare with.
if [ "${1:-}" = --tests ]; then
  packages="$packages
tshark tshark
scapy3 python3-scapy
ibsim ibsim-utils
opensm opensm
saquery infiniband-diags
qemu-system-x86_64 qemu-system-x86
xz xz-utils
keepalived keepalived
conntrackd conntrackd
conntrack conntrack
man man-db
mandoc mandoc
zsh zsh
fish fish
script bsdutils
ethtool ethtool
qemu-system-x86_64 qemu-system-x86
busybox busybox-static
"
fi
PATH=$PATH:/usr/sbin:/sbin
missing=$(printf '%s\n' "$packages" | while read -r program package; do
  [ -z "$program" ] || command -v "$program" >/dev/null 2>&1 || printf '%s ' "$package"
done)
# The compiler alone is not enough: the addon needs the C library's headers.
[ -e /usr/include/stdio.h ] && [ -e /usr/include/linux/bpf.h ] || missing="$missing libc6-dev"
if [ -n "$missing" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    say "Missing: $missing"
    for service in opensm keepalived conntrackd; do
      case " $missing " in *" $service "*) say "$service comes with a service that is not wanted:  sudo systemctl mask $service" ;; esac
    done
    say "Install them, then start again:  sudo apt-get install --no-install-recommends $missing"
    exit 1
  fi
  # The tests start daemons of their own. As services they would take charge of the real fabric, and of real connections.
  for service in opensm keepalived conntrackd; do
    case " $missing " in
    *" $service "*) mkdir -p /etc/systemd/system && ln -sf /dev/null "/etc/systemd/system/$service.service" ;;
    esac
  done
  say "Installing $missing…"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # a list of words
  { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing ||
    { apt-get update -o DPkg::Lock::Timeout=300 &&
      apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing; }; } >build-setup.log 2>&1 || {
    cat build-setup.log >&2
    exit 1
  }
  rm -f build-setup.log
fi

# npm's record of what it installed is newer than what it was told to install.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "Installing npm packages…"
  NODE_OPTIONS="${NODE_OPTIONS:-} --require \"$PWD/tools/packages-for.cjs\"" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  # Debian 12's npm (9.2) takes the link away again, with the package that is for another processor and has the same.
  for program in node_modules/node-linux-*/bin/node; do
    [ -e node_modules/.bin/node ] || [ ! -x "$program" ] || ln -s "../${program#node_modules/}" node_modules/.bin/node
  done
  touch node_modules/.package-lock.json
fi

case $(node_modules/.bin/node --version 2>/dev/null || echo none) in
v24.*) ;;
*)
  say "node_modules/.bin/node is not Node 24. Take node_modules away and start again; npm brings Node 24 for"
  say "x86_64 and arm64 (optional dependencies, which npm must not be told to leave out)."
  exit 1
  ;;
esac
