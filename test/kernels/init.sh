#!/bin/busybox sh
# Owns the first process of a guest: what its script needs is mounted, and its end is told.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /run
mount -t bpf bpf /sys/fs/bpf
mkdir -p /sys/fs/cgroup /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for module in /modules/*; do insmod "$module"; done
/heddle/node /heddle/dist/script.mjs
echo "ended with $?"
poweroff -f
