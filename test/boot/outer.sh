#!/bin/sh
# Owns a machine for tests that boot: namespaces of all kinds and a cgroup of its own, so that the real systemd can be its
# first process. Usage, as root: outer.sh PLACE CGROUP PREPARE, where PLACE is an empty directory, CGROUP a directory of
# cgroup v2 that is not there yet, and PREPARE a script that is run with the machine's root as its argument before it boots.
set -eu
place=$1 cgroup=$2 prepare=$3
here=$(dirname "$(readlink -f "$0")")
mkdir "$cgroup"
echo $$ >"$cgroup/cgroup.procs"
exec unshare --mount --pid --net --uts --ipc --cgroup --fork setpriv --pdeathsig KILL "$here/inner.sh" "$place" "$prepare"
