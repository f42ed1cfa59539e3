#!/bin/bash
[ "$1" = "ib0" ] || exit 0
case "$2" in
  up|vpn-up)
    ip rule add from 10.0.0.1 table 9 pref 9
    ip route add 10.0.0.0/8 dev $1 table 9
    ;;
  down)
    ip rule del from 10.0.0.1 table 9 pref 9
    ip route flush table 9
    ;;
  *)
    ip route add 10.99.0.0/16 dev lo table 9
    ;;
esac
