#!/bin/busybox sh
# Owns the first process of the guest that tools/rdma-guest.sh makes: a soft RDMA device on its card, and a shell on its
# first serial line, which has no echo, so that a program can talk to it.
export PATH=/bin:/sbin HOME=/ LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ulimit -l unlimited
for module in virtio_pci virtio_net crc32_generic rdma_rxe rdma_ucm ib_uverbs; do modprobe "$module"; done
ip link set lo up
stty -F /dev/ttyS0 raw -echo
exec setsid sh -c 'echo guest is up; exec sh' </dev/ttyS0 >/dev/ttyS0 2>&1
