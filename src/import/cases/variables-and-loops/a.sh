#!/bin/sh -e
TABLE=77; GW="10.0.0.1"
export DEV=ib0
NETS="10.1.0.0/16 10.2.0.0/16"
for net in $NETS 10.3.0.0/16; do
  ip route replace "$net" via ${GW} dev $DEV table $TABLE
done
for i in 1 2
do
  ip rule add from 10.0.0.$i/32 table $TABLE prio $((100 + i))
done
ADDR=$(hostname -I)
ip rule add from $ADDR table 77
ip rule add from "$1" table 77
while ip rule del fwmark 1 table 77 2>/dev/null; do :; done
ip rule add fwmark 1 \
   table 77 \
   priority 10 # the mark of the job scheduler
ip rule add fwmark 2 table 77 pref 11 || true; ip rule add fwmark 3 table 77 pref 12 && echo done
