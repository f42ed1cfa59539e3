if [ "$IFACE" != "ib0" ]; then
  exit 0
fi
ip route add 10.0.0.0/8 dev $IFACE table 9
[ "$MODE" = "start" ] && ip rule add from 10.0.0.1 table 9 pref 9
[ "$MODE" = "stop" ] && ip rule del from 10.0.0.1 table 9 pref 9
