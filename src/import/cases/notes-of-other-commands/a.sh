sysctl -w net.ipv4.conf.all.rp_filter=2
echo 1 > /proc/sys/net/ipv4/ip_forward
ip address add 10.0.0.1/8 dev ib0
ip link set ib0 up
ip nexthop add id 7 via 10.0.0.1 dev ib0
ifconfig ib0 10.0.0.1
route add -net 10.0.0.0/8 gw 10.0.0.1
iptables -t nat -A POSTROUTING -o eth9 -j MASQUERADE
iptables -t mangle -A OUTPUT -m owner --uid-owner 1000 -j MARK --set-xmark 0x2/0xff
iptables -t mangle -A OUTPUT -j MARK -p udp --set-mark 3 -m owner --gid-owner alice
ip rule add fwmark 0x2/0xff table 9 pref 1
ip route add 10.0.0.0/8 dev ib0 table 9
