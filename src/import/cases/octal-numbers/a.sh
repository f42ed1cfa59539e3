ip rule add fwmark 010/0x0f table 010 priority 010
ip rule add fwmark 08 table 9
ip rule add uidrange 0100-0200 table 7 priority 9
ip route add 10.0.0.0/8 dev ib0 metric 010 table 5
iptables -t mangle -A OUTPUT -m owner --uid-owner alice -j MARK --set-mark 012
